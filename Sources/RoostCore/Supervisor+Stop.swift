extension Supervisor {
  mutating func stopRequested(by requester: Requester, at now: Instant) {
    switch phase {
    case .idle, .starting, .serving, .reloading:
      order(.report(.stopRequested(by: requester)))
      stop(.stopped, at: now)
    case .stopping(let stop):
      order(.report(.stopAtOnceRequested(by: requester)))
      killAll(stop)
    case .stopped:
      break
    }
  }

  mutating func stopAtOnceRequested(by requester: Requester, at now: Instant) {
    switch phase {
    case .idle, .starting, .serving, .reloading:
      order(.report(.stopAtOnceRequested(by: requester)))
      stop(.stopped, at: now)
      if case .stopping(let stop) = phase { killAll(stop) }
    case .stopping(let stop):
      order(.report(.stopAtOnceRequested(by: requester)))
      killAll(stop)
    case .stopped:
      break
    }
  }

  /// Tells every worker to go, candidates as well as current ones.
  mutating func stop(_ verdict: Verdict, at now: Instant) {
    abandonPreparation()
    killAllHooks()
    phase = .stopping(Stop(verdict))
    order(.announce(.stopping))
    askForTime(at: now)
    var drains: [Effect] = []
    for slot in slots {
      for worker in [slot.worker, slot.candidate].compactMap(\.self) {
        retire(worker, at: now)
        drains.append(.report(.drainBegan(worker.id, timeout: settings.drainTimeout)))
      }
    }
    slots.removeAll()
    order(.closeListeners)
    orders += drains
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

  /// The drain timeout of these is over.
  mutating func killOverdue(at now: Instant) {
    retirees = retirees.compactMap { retiree in
      guard let deadline = retiree.deadline, deadline <= now else { return retiree }
      orders.append(.kill(retiree.id))
      let remains = if case .remains = retiree.stage { true } else { false }
      orders.append(.report(.drainTimedOut(retiree.id, after: deadline - retiree.told, remains: remains)))
      return retiree.killed
    }
    exitIfAllReaped()
  }

  /// Processes of an exited worker's group are alive. They may hold requests: they drain like a retiree.
  mutating func stopRemains(of id: WorkerID, killed: Bool, at now: Instant) {
    // The group was sent SIGKILL already, and what had left it was nobody's to find yet.
    if killed { return order(.kill(id)) }
    let until = now + settings.drainTimeout
    retirees.append(Retiree(id: id, told: now, stage: .remains(until: until)))
    order(.drain(id))
    order(.report(.remainsStopped(id, timeout: settings.drainTimeout)))
  }

  mutating func workerRemainsGone(_ id: WorkerID) {
    guard let index = retireeIndex(id) else { return }
    retirees.remove(at: index)
    exitIfAllReaped()
  }

  mutating func exitIfAllReaped() {
    switch phase {
    case .stopping(let stop):
      guard retirees.isEmpty else { return }
      phase = .stopped
      standStill()
      order(.exit(stop.verdict, atOnce: stop.isAtOnce))
    case .idle, .starting, .serving, .reloading, .stopped:
      break
    }
  }
}
