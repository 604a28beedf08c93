import Glibc
import RoostConfiguration

extension UnitRules {
  /// Everything that a worker with its own cgroup leaves behind is found (docs/decisions/0012-strays.md).
  var delegation: Finding {
    let consequence = "workers get no cgroups, so processes that leave a worker are only found by their descent"
    guard unit["Delegate"] == "yes" else {
      return .warning("Delegate", "no: \(consequence)", mend: "Delegate=pids")
    }
    guard ["", "no"].contains(unit["ProtectControlGroups"]) else {
      return .warning(
        "Delegate", "yes, with ProtectControlGroups=\(unit["ProtectControlGroups"]): \(consequence)",
        mend: "ProtectControlGroups=no")
    }
    return .ok("Delegate", "yes, each worker has a cgroup of its own")
  }

  /// What systemd shows for SystemCallErrorNumber= if a call that isn't allowed kills.
  private static let kill = "2147483646"
  /// The usual soft limit, which is made for programs that use select(2).
  private static let fewFiles = 1024

  var openFiles: Finding {
    let soft = Int(unit["LimitNOFILESoft"])
    if let own = configuration.worker.limits.first(where: { $0.resource == Int32(RLIMIT_NOFILE.rawValue) }) {
      return .ok("LimitNOFILE", "\(own.soft.map(String.init) ?? "infinity") for workers, as the configuration says")
    }
    if let soft, soft <= Self.fewFiles {
      return .warning(
        "LimitNOFILE", "\(soft): no worker can have more connections and files than that",
        mend: "LimitNOFILE=65536:524288, or limit = { open-files = 65536 } in the configuration")
    }
    return .ok("LimitNOFILE", "\(soft.map(String.init) ?? "infinity") for workers")
  }

  private var filter: (allows: Bool, calls: [Substring]) {
    let text = unit["SystemCallFilter"]
    return text.hasPrefix("~")
      ? (false, text.dropFirst().split(separator: " ")) : (true, text.split(separator: " "))
  }

  private var hasFilter: Bool { !filter.calls.isEmpty }

  var systemCalls: Finding {
    guard hasFilter else { return .ok("SystemCallFilter", "none") }
    let allows = filter.calls.contains("pkey_alloc") == filter.allows
    if allows { return .ok("SystemCallFilter", "it allows what known runtimes ask for") }
    return .warning(
      "SystemCallFilter", "without @pkey: Node asks for it, among others\(isDeadly ? ", and dies" : "")",
      mend: "SystemCallFilter=@system-service @pkey")
  }

  var systemCallError: Finding {
    if !hasFilter { return .ok("SystemCallErrorNumber", "no SystemCallFilter") }
    if !isDeadly { return .ok("SystemCallErrorNumber", "a call that isn't allowed fails") }
    return .warning(
      "SystemCallErrorNumber",
      "a call that SystemCallFilter doesn't allow kills the worker with SIGSYS, without a message",
      mend: "SystemCallErrorNumber=EPERM")
  }

  private var isDeadly: Bool { unit["SystemCallErrorNumber"] == Self.kill }
}
