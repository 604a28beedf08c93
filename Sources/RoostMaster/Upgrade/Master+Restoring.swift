import Glibc
import RoostConfiguration
import RoostCore
import RoostJSON
import RoostLog
import RoostMetrics
import RoostSystemd

/// From what a former binary of this process has saved to a running master.
extension Master {
  convenience init(
    _ handover: Handover, _ inheritance: Inheritance, restoring saved: SavedState, log: Log
  ) throws {
    let configuration = handover.configuration
    let loop = try EventLoop()
    let control = saved.control.flatMap { control in
      configuration.control.map { ControlServer(restoring: control, $0, service: configuration.name, loop: loop, log) }
    }
    let metrics = try configuration.metrics.map {
      try MetricsServer($0, restoring: saved.metrics, saved.metricsWait, loop: loop, log)
    }
    let channel = UpstreamChannel(loop: loop, log)
    let listeners = ServiceListeners(
      restoring: saved.listeners, inherited: saved.inherited,
      first: saved.firstListeners ?? [], FdStore(channel, log), log)
    self.init(
      handover, inheritance.openFiles, log, loop: loop, started: saved.started,
      directory: handover.directory ?? WorkingDirectory.formerMaster(), channel: channel,
      watchdog: try UpstreamWatchdog(channel), deadlines: Deadlines(saved.clock), supervisor: saved.supervisor,
      releases: Releases(restoring: saved.releases, listeners.all), listeners: listeners,
      record: ServiceRecord(restoring: saved, configuration, loop, log),
      clients: Clients(control, lastReload: saved.lastReload), metrics: metrics)
    counters = saved.counters
    troubles = Troubles(restoring: saved)
    queueSampler.lastEvidence = saved.lastEvidence
    upstream.lastFailure = saved.lastFailure
    try workers.restore(saved, releases, relay)
    try hooks.restore(saved.hooks, relay)
    for output in saved.outputs { try relay.restore(output) }
    try preparer.restore(saved.preparation)
    channel.restore(saved.upstream ?? [])
  }

  /// Continues: with what the former binary had armed, and what happened while it was executing this one.
  func resume(_ saved: SavedState) {
    // It was the master that took that long, however long it was.
    deadlines.wasHeld()
    // A former version worked in the directory in which it was started.
    chdir("/")
    handle(.upgraded(from: saved.version))
    relay.resume()
    channel.resume()
    record.writeSoon()
    files.renew()
    workers.resumeRemains()
    reap()
    workers.resumeDrains(supervisor)
    for retiree in supervisor.retirees where retiree.isEmptying { awaitEmptyQueue(of: retiree.id) }
    workers.resume(supervisor)
    steering.follow(supervisor.slots, releases)
    deadlines.set(for: supervisor)
    tellState()
    // What the former binary found isn't handed over.
    if servicePhase == .serving { outsiders.searchSoon() }
  }

  /// All that a restored master does before it runs, in the proof of an upgrade. Nothing outside notices.
  static func rehearsal(_ handover: Handover, _ state: JSON, _ saved: SavedState) throws -> Master {
    guard SavedDescriptor.setCloseOnExec(true, SavedDescriptor.all(in: state)) else {
      throw MasterError("a descriptor of the state isn't open")
    }
    let inheritance = Inheritance(openFiles: OpenFiles(), isUpgrade: true)
    let master = try Master(handover, inheritance, restoring: saved, log: Log())
    try master.prepare()
    try SpareMemory.check(SpareMemory.forGoingOn)
    return master
  }
}
