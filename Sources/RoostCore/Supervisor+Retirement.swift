/// How a worker goes: it is told to, at once or when a queue is empty, and drains until it exits or its time is over.
/// What it leaves behind drains in its place.
extension Supervisor {
  /// The longest wait for a queue to be empty, whatever is in it.
  private static let longestEmptying: Duration = .seconds(5)

  /// Lets a worker go that serves or was to serve, within the time that it gets from the newest settings it may know.
  /// Connections may wait where only it can accept them, and after the signal it accepts no more; a stop doesn't wait
  /// for them.
  mutating func retire(_ worker: Worker, at now: Instant) {
    let timeout = settings(of: max(worker.id.generation, serving)).drainTimeout
    retirees.append(Retiree(id: worker.id, timeout: timeout, at: now))
    guard leavesQueues, !isStopping else { return drain(retirees.count - 1, at: now) }
    let longest = min(Self.longestEmptying, timeout / 4)
    retirees[retirees.count - 1].stage = .emptying(until: now + longest)
    order(.awaitEmptyQueue(worker.id))
  }

  private mutating func drain(_ index: Int, at now: Instant) {
    retirees[index].drain(at: now)
    order(.drain(retirees[index].id))
    report(.drainBegan(retirees[index].id, timeout: retirees[index].timeout))
  }

  mutating func queueEmpty(of id: WorkerID, at now: Instant) {
    if let index = retireeIndex(id) { endEmptying(index, at: now) }
  }

  /// No connection waits any more where only this retiree can accept, or it has been long enough.
  mutating func endEmptying(_ index: Int, at now: Instant) {
    if case .emptying = retirees[index].stage { drain(index, at: now) }
  }

  mutating func retireeDeadlines(at now: Instant) {
    for index in retirees.indices where retirees[index].deadline.map({ $0 <= now }) ?? false {
      endEmptying(index, at: now)
    }
    retirees = retirees.compactMap { retiree in
      guard let deadline = retiree.deadline, deadline <= now else { return retiree }
      let remains = if case .remains = retiree.stage { true } else { false }
      decision.effects.append(.kill(retiree.id))
      decision.notices.append(.drainTimedOut(retiree.id, after: deadline - retiree.told, remains: remains))
      return retiree.killed
    }
    exitIfAllReaped()
  }

  /// Processes of an exited worker's group are alive. They may hold requests: they drain like a retiree.
  mutating func stopRemains(of id: WorkerID, killed: Bool, at now: Instant) {
    // The group was sent SIGKILL already, but what had left the group couldn't be found yet.
    if killed { return order(.kill(id)) }
    let timeout = settings.drainTimeout
    var remains = Retiree(id: id, timeout: timeout, at: now)
    remains.stage = .remains(until: now + timeout)
    retirees.append(remains)
    order(.drain(id))
    report(.remainsStopped(id, timeout: timeout))
  }

  mutating func workerRemainsGone(_ id: WorkerID) {
    guard let index = retireeIndex(id) else { return }
    retirees.remove(at: index)
    exitIfAllReaped()
  }

  func retireeIndex(_ id: WorkerID) -> Int? {
    retirees.firstIndex { $0.id == id }
  }
}
