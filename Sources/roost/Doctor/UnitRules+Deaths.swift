/// What becomes of the service when the master dies, or is stopped.
extension UnitRules {
  /// A bad minute mustn't become a dead service.
  var startLimit: Finding {
    let name = "StartLimitIntervalSec"
    let interval = unit["StartLimitIntervalUSec"]
    if interval == "0" || interval == "infinity" { return .ok(name, "\(interval): the unit is always started again") }
    return .warning(
      name,
      "\(interval): after \(unit["StartLimitBurst"]) starts within that time the unit has failed, and its listeners are closed",
      mend: "StartLimitIntervalSec=0, in [Unit]")
  }

  /// Without them a master that dies at once is restarted ten times a second.
  var restartSteps: Finding {
    let name = "RestartSteps"
    guard version >= SystemdVersion.withRestartSteps else { return .ok(name, "this systemd has none") }
    let steps = Int(unit[name]) ?? 0
    let limit = unit["RestartMaxDelayUSec"]
    if steps > 0, limit != "infinity" {
      return .ok(name, "\(steps), up to \(limit): the pauses grow if the master dies again and again")
    }
    return .warning(
      name, "none: a master that dies again and again is started each time after \(unit["RestartUSec"])",
      mend: "RestartSteps=5 and RestartMaxDelaySec=5s")
  }

  var preservedStore: Finding {
    let name = "FileDescriptorStorePreserve"
    guard version >= SystemdVersion.withPreservedStore else {
      return .ok(name, "this systemd doesn't keep the listeners over a stop")
    }
    if unit[name] == "yes" { return .ok(name, "yes: the listeners are kept over a stop and a start") }
    return .warning(
      name, "\(unit[name]): between a stop and a start clients are refused", mend: "FileDescriptorStorePreserve=yes")
  }

  private var version: Int { SystemdVersion.installed ?? 0 }
}
