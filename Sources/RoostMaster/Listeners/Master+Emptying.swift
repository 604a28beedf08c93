import RoostCore

/// Who is in the queue of a listener that was removed has connected while it was there, and only workers that retire have
/// it. So they accept what is queued before they are told to drain, since after that they accept no more.
extension Master {
  /// A handshake that had begun when the listener was shut takes a moment to get into the queue.
  private static let handshake: Duration = .milliseconds(100)
  /// The kernel tells nobody that a queue has become empty.
  private static let interval: Duration = .milliseconds(2)

  /// Whether a release has other listeners than a worker that lives: connections may wait where not everybody can accept.
  func leavesQueues(_ new: Release) -> Bool {
    func same(_ one: Release) -> Bool {
      one.listeners.count == new.listeners.count
        && one.listeners.allSatisfy { passed in new.listeners.contains { $0.listener === passed.listener } }
    }
    return livingGenerations.contains { generation in releases[generation].map { !same($0) } ?? false }
  }

  /// Tells the supervisor when nobody waits any more where only this worker can accept.
  func awaitEmptyQueue(of id: WorkerID) {
    guard let process = process(id), process.state == .running, !leftListeners(of: process).isEmpty else {
      return handle(.queueEmpty(id))
    }
    emptying.append((id, from: now + Self.handshake))
    emptyingTimer?.set((Clock.now() + Self.interval).microseconds)
    if hasQueue(process) {
      log.info(
        "worker \(process.pid) gets its stop signal when it has accepted what is queued on listeners that are closed")
    }
  }

  /// Looks at the queues.
  func lookAtEmptying() {
    emptyingTimer?.wentOff()
    let awaited = supervisor.retirees.filter { if case .emptying = $0.stage { true } else { false } }.map(\.id)
    emptying.removeAll { !awaited.contains($0.id) }
    for (id, from) in emptying where from <= now && process(id).map({ !hasQueue($0) }) ?? true {
      emptying.removeAll { $0.id == id }
      handle(.queueEmpty(id))
    }
    if !emptying.isEmpty { emptyingTimer?.set((Clock.now() + Self.interval).microseconds) }
  }

  /// The listeners whose queue is left to this worker: those that were removed, and where each slot has a queue of its own,
  /// those that the worker which has taken over in its slot wasn't given.
  private func leftListeners(of process: WorkerProcess) -> [Listener] {
    process.release.listeners.map(\.listener).filter { listener in
      if listener.isRetired { return true }
      guard listener.reuseport != nil, supervisor.slots.indices.contains(process.id.slot),
        let successor = supervisor.slots[process.id.slot].worker
      else { return false }
      return !isGiven(successor.id.generation, listener)
    }
  }

  private func hasQueue(_ process: WorkerProcess) -> Bool {
    leftListeners(of: process).contains { !$0.isEmpty(slot: $0.reuseport == nil ? 0 : process.id.slot) }
  }
}
