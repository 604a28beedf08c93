import ArgumentParser
import RoostConfiguration

/// What a unit has to say for a configuration, a rule for each property. systemd/roost@.service follows all of them.
struct UnitRules {
  let unit: UnitProperties
  let configuration: Configuration

  /// Whether the master can ask for more time, which works with every Type.
  private var isHeard: Bool { unit["NotifyAccess"] != "none" }

  var type: Finding {
    switch unit["Type"] {
    case "notify": .ok("Type", "notify")
    case "notify-reload":
      .warning(
        "Type", "notify-reload: systemd can't learn that a reload has failed",
        mend: "Type=notify, and ExecReload=roost reload --quiet \(configuration.name)")
    case let other:
      .failure(
        "Type", "\(other): systemd doesn't learn when the workers are ready, nor whether they are", mend: "Type=notify")
    }
  }

  var notifyAccess: Finding {
    switch unit["NotifyAccess"] {
    case "main": .ok("NotifyAccess", "main")
    case "none": .failure("NotifyAccess", "none: systemd ignores the master's messages", mend: "NotifyAccess=main")
    case let other:
      .warning("NotifyAccess", "\(other): processes of workers could speak for the service", mend: "NotifyAccess=main")
    }
  }

  var killMode: Finding {
    switch unit["KillMode"] {
    case "mixed": .ok("KillMode", "mixed")
    case "control-group" where configuration.worker.stopSignal == .term:
      .ok("KillMode", "control-group: a stop tells the workers too, and they drain when the master has died")
    case "control-group":
      .failure(
        "KillMode",
        "control-group: a stop sends SIGTERM to workers whose stop signal is SIG\(configuration.worker.stopSignal.name)",
        mend: "KillMode=mixed")
    case let other:
      .failure(
        "KillMode", "\(other): workers outlive a master that has died, and hold its listeners", mend: "KillMode=mixed")
    }
  }

  var timeoutStop: Finding {
    let drain = configuration.settings.drainTimeout
    let shown = unit["TimeoutStopUSec"]
    guard let limit = UnitTime(parsing: shown) else {
      return .warning("TimeoutStopSec", "cannot read '\(shown)'", mend: "TimeoutStopSec=\(drain.wholeSeconds + 30)")
    }
    if limit.isAtLeast(drain) { return .ok("TimeoutStopSec", "\(shown), the drain timeout is \(drain.text)") }
    if isHeard {
      return .ok(
        "TimeoutStopSec", "\(shown), less than the drain timeout of \(drain.text): the master asks for more time")
    }
    return .failure(
      "TimeoutStopSec", "\(shown), and workers may take \(drain.text) to drain: systemd kills them before",
      mend: "TimeoutStopSec=\(drain.wholeSeconds + 30), or NotifyAccess=main: then the master asks for more time")
  }

  var oomPolicy: Finding {
    switch unit["OOMPolicy"] {
    case "continue": .ok("OOMPolicy", "continue")
    case "": .ok("OOMPolicy", "this systemd has none")
    case let other:
      .warning(
        "OOMPolicy", "\(other): one worker that runs out of memory ends the whole service", mend: "OOMPolicy=continue")
    }
  }

  var execReload: Finding {
    let mend = "ExecReload=/usr/bin/roost reload --quiet \(configuration.name)"
    let command = UnitCommandLine(parsing: unit["ExecReload"])
    if unit["Type"] == "notify-reload" {
      return command.words.isEmpty
        ? .ok("ExecReload", "none: notify-reload sends SIGHUP on its own")
        : .failure("ExecReload", "and Type=notify-reload: a reload happens twice", mend: "Type=notify")
    }
    guard !command.words.isEmpty else {
      return .failure("ExecReload", "none: systemctl reload is refused", mend: mend)
    }
    let text = command.words.joined(separator: " ")
    guard let arguments = command.arguments(of: "reload") else {
      return .warning("ExecReload", "\(text): systemctl reload succeeds at once, whatever the result", mend: mend)
    }
    guard let reload = try? ReloadCommand.parse(arguments) else {
      return .failure("ExecReload", "\(text): these aren't its arguments", mend: mend)
    }
    if let name = reload.selection.name, name != configuration.name {
      return .failure("ExecReload", "\(text): the service is \(configuration.name)", mend: mend)
    }
    if reload.noWait {
      return .warning("ExecReload", "\(text): systemctl reload doesn't wait for the verdict", mend: mend)
    }
    return .ok("ExecReload", text)
  }

  var descriptorStore: Finding {
    let own = configuration.listeners.filter { if case .systemd = $0.address { false } else { true } }
    let wanted = own.map { $0.reuseport == nil ? 1 : configuration.settings.workers }.reduce(0, +)
    let room = Int(unit["FileDescriptorStoreMax"]) ?? 0
    if wanted == 0 {
      return .ok("FileDescriptorStoreMax", "\(room): systemd opens the listeners, and keeps them anyway")
    }
    if room >= wanted { return .ok("FileDescriptorStoreMax", "\(room), for \(wanted) of the listeners' sockets") }
    return .warning(
      "FileDescriptorStoreMax",
      "\(room), for \(wanted) of the listeners' sockets: when the master dies, clients are refused until the next one listens",
      mend: "FileDescriptorStoreMax=512")
  }
}

/// A span of time as systemd shows it: `1min 30s`, `500ms`, `infinity` (systemd.time(7)).
struct UnitTime {
  private static let milliseconds: [(String, Double)] = [
    ("us", 0.001), ("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000),
    ("month", 2_629_800_000), ("y", 31_557_600_000),
  ]
  private let milliseconds: Double

  init?(parsing text: String) {
    if text == "infinity" {
      milliseconds = .infinity
      return
    }
    var sum = 0.0
    for word in text.split(separator: " ") {
      let digits = word.prefix { $0.isNumber || $0 == "." }
      guard let number = Double(digits),
        let unit = Self.milliseconds.first(where: { $0.0 == word.dropFirst(digits.count) })
      else { return nil }
      sum += number * unit.1
    }
    guard !text.isEmpty else { return nil }
    milliseconds = sum
  }

  func isAtLeast(_ duration: Duration) -> Bool { milliseconds >= Double(duration.wholeMilliseconds) }
}
