import Glibc
import RoostConfiguration

extension UnitRules {
  var runtimeDirectory: Finding {
    let name = "RuntimeDirectory"
    guard !unit[name].isEmpty else { return .ok(name, "none: the master makes the directory of its control socket") }
    let kept = unit["RuntimeDirectoryPreserve"]
    if kept == "yes" { return .ok(name, "\(unit[name]), which stays") }
    return .warning(
      name,
      "\(unit[name]), RuntimeDirectoryPreserve=\(kept): a failed second start of the service, by another unit,"
        + " removes the control socket of the first",
      mend: "RuntimeDirectoryPreserve=yes")
  }

  /// There may be another unit for the same service: only one of them can run.
  func conflicts(with rivals: [UnitProperties]) -> Finding {
    let stopped = unit["Conflicts"].split(separator: " ").first { name in rivals.contains { $0.name == name } }
    if let stopped {
      return .warning(
        "Conflicts", "\(stopped): a start of this unit stops that one, before it is known whether this one can serve",
        mend: "leave it out: while one serves, a start of the other is refused")
    }
    let others = rivals.filter { $0["ActiveState"] != "inactive" || $0["UnitFileState"] == "enabled" }
    guard let other = others.first(where: { $0["ActiveState"] != "failed" }) else {
      return .ok("Conflicts", "no other unit is there for the service \(configuration.name)")
    }
    let state = other["ActiveState"] == "inactive" ? "is enabled" : "is \(other["ActiveState"])"
    return .warning(
      "Conflicts",
      "\(other.name) is there for the same service, and \(state): whichever starts second is refused with status 78",
      mend: "systemctl disable --now \(other.name)")
  }

  /// Whether systemd opens the listeners, if there is a .socket unit for that.
  func triggered(by sockets: [UnitProperties]) -> Finding {
    let name = "TriggeredBy"
    let (own, foreign) = (sockets.filter { $0.triggers(unit.name) }, sockets.filter { !$0.triggers(unit.name) })
    if let idle = own.first(where: { $0["ActiveState"] != "active" }), unit["ActiveState"] == "active" {
      return .warning(
        name,
        "\(idle.name) is there and doesn't listen, and won't while this service runs: that has opened the address itself, and"
          + " clients are refused when it stops",
        mend:
          "systemctl stop \(unit.name) && systemctl start \(idle.name) \(unit.name): in between nothing listens; or"
          + " remove the .socket unit")
    }
    if let other = foreign.first(where: { $0["ActiveState"] == "active" || own.isEmpty }) {
      return .warning(
        name, "\(other.name) is for \(other["Triggers"]), and passes this service nothing",
        mend: "Service=\(unit.name) in it")
    }
    if own.isEmpty { return .ok(name, "no .socket unit: the service opens its listeners itself") }
    let isListening = own.allSatisfy { $0["ActiveState"] == "active" }
    return .ok(
      name, own.map(\.name).joined(separator: ", ") + (isListening ? ", which listens" : ", which hasn't been started"))
  }

  /// Whether systemd makes for one user what workers of another are to use.
  private var changesUser: Bool {
    guard let identity = configuration.worker.identity, identity.user != 0 else { return false }
    return ["", "root", "0"].contains(unit["User"])
  }

  private var userName: String {
    configuration.worker.identity.map { Names.user($0.user) } ?? ""
  }

  var ownDirectories: Finding {
    let name = "StateDirectory"
    let roots = [("StateDirectory", "/var/lib"), ("CacheDirectory", "/var/cache"), ("LogsDirectory", "/var/log")]
    let all = roots.flatMap { setting, root in
      unit[setting].split(separator: " ").map { (setting, "\(root)/\($0.split(separator: ":")[0])") }
    }
    if unit[name].isEmpty, let place = configuration.history?.directory, place.hasPrefix("/run/") {
      return .warning(
        name, "none: what has served is recorded in \(place), and forgotten when the machine boots",
        mend: "StateDirectory=roost/\(configuration.name)")
    }
    // The master's own directory.
    let paths = all.filter { $0.1 != "/var/lib/roost/\(configuration.name)" }
    guard !paths.isEmpty else {
      return .ok(name, all.isEmpty ? "none" : "\(all[0].1), for the record of what has served")
    }
    let foreign = changesUser ? paths.filter { !givesAway($0.0, $0.1) } : []
    guard let path = foreign.first?.1 else {
      return .ok(name, "\(paths.map(\.1).joined(separator: ", ")) can be written by workers")
    }
    return .warning(
      name, "\(path) is root's, and workers run as \(userName)",
      mend:
        "ExecStartPre=+install -d -o \(userName) \(path)/data, a directory within it; or User=\(userName) in the unit, and no"
        + " 'user' in the configuration")
  }

  /// `StateDirectory` → `STATE_DIRECTORY`, in which systemd says where it is.
  private static func variable(_ setting: String) -> String {
    setting.replacing("Directory", with: "").uppercased() + "_DIRECTORY"
  }

  /// Before each command systemd gives the directory itself back to its own user; what is within it stays as it is.
  private func givesAway(_ setting: String, _ path: String) -> Bool {
    let commands = unit["ExecStartPre"]
    // If there are several, the variable has all of them, with colons between them.
    let isAlone = !unit[setting].contains(" ")
    return commands.contains("\(path)/") || isAlone && commands.contains(Self.variable(setting))
  }

  var credentials: Finding {
    let name = "LoadCredential"
    guard unit.hasCredentials else { return .ok(name, "no credentials") }
    guard changesUser else { return .ok(name, "workers can open the credentials") }
    return .warning(
      name, "only the unit's own user can open credentials, and workers run as \(userName)",
      mend: "User=\(userName) in the unit and no 'user' in the configuration; or let the master read one:"
        + " environment-file = [\"/run/credentials/\(unit.name)/NAME\"]")
  }
}
