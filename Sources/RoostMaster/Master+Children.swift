import Glibc
import RoostCore

/// What has become of the master's children.
extension Master {
  /// Reads every exit there is, and reports whose it was.
  func reap() {
    let exits = Children.exits()
    if exits.mayBeMore { reapLater() }
    // All of them, before anything else is started: a pid that was reaped may belong to another process from then on.
    for exit in exits.all { OwnProcesses.reaped(exit.pid) }
    let ofWorkers = workers.wereReaped(exits.all)
    let ofHooks = hooks.wereReaped(exits.all)
    let others = exits.all.filter { exit in !ofWorkers.contains { $0.process.pid == exit.pid } }
    // There may be room for another process by now.
    if !exits.all.isEmpty { PassedDescriptors.closeUnclosed() }
    workers.tell(of: ofWorkers)
    hooks.tell(of: ofHooks)
    workers.othersWereReaped(others)
    takeStops()
  }

  /// Reports which workers were stopped, by whatever, and which continue.
  private func takeStops() {
    let stops = Children.stops()
    if !stops.all.isEmpty { metricsServer?.forgetText() }
    for stop in stops.all { workers.take(stop) }
    if stops.mayBeMore { reapLater() }
  }

  /// Reads the rest when others have had their turn: once, however often it is asked for.
  private func reapLater() {
    guard !isReapDue else { return }
    isReapDue = true
    loop.atRoundEnd { [unowned self] in
      isReapDue = false
      reap()
    }
  }
}
