extension Supervisor {
  mutating func stopRequested(by requester: Requester, at now: Instant) {
    guard !isStopping else { return stopAtOnceRequested(by: requester, at: now) }
    report(.stopRequested(by: requester))
    stop(.stopped, at: now)
  }

  mutating func stopAtOnceRequested(by requester: Requester, at now: Instant) {
    if case .stopped = phase { return }
    report(.stopAtOnceRequested(by: requester))
    if !isStopping { stop(.stopped, at: now) }
    if case .stopping(let stop) = phase { killAll(stop) }
  }

  /// Tells every worker to go, candidates as well as current ones.
  mutating func stop(_ verdict: Verdict, at now: Instant) {
    abandonPreparation()
    killAllHooks()
    phase = .stopping(Stop(verdict))
    order(.announce(.stopping))
    askForTime(at: now)
    for worker in slots.flatMap(\.workers) { retire(worker, at: now) }
    slots.removeAll()
    order(.closeListeners)
    // A stop doesn't wait for queues.
    for index in retirees.indices { endEmptying(index, at: now) }
    exitIfAllReaped()
  }

  private mutating func killAll(_ stop: Stop) {
    var stop = stop
    stop.isAtOnce = true
    phase = .stopping(stop)
    for retiree in retirees where retiree.stage != .killed { order(.kill(retiree.id)) }
    retirees = retirees.compactMap(\.killed)
    exitIfAllReaped()
  }

  mutating func exitIfAllReaped() {
    guard case .stopping(let stop) = phase, retirees.isEmpty else { return }
    phase = .stopped
    standStill()
    abandonUpgrade()
    order(.exit(stop.verdict, atOnce: stop.isAtOnce))
  }
}
