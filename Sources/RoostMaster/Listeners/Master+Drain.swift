import RoostCore

/// A worker that is told to drain a little later.
struct HeldDrain {
  let process: WorkerProcess
  /// Not before: a handshake that had begun when the listener was shut takes a moment to get into the queue.
  var from: Instant
  /// At the latest, whoever is queued.
  var until: Instant

  /// What an upgrade hands over.
  struct Saved: Codable {
    let worker: WorkerID
    let from: Instant
    let until: Instant
  }

  var saved: Saved { Saved(worker: process.id, from: from, until: until) }
}

/// Who is in the queue of a listener that was removed has connected while it was there, and only workers that retire have
/// it. So they accept what is queued before they are told to drain, since after that they accept no more.
extension Master {
  private static let handshake: Duration = .milliseconds(100)
  private static let longestHold: Duration = .seconds(5)
  /// The kernel tells nobody that a queue has become empty.
  private static let interval: Duration = .milliseconds(2)

  /// Tells a worker to drain, or what remains of its group.
  func drain(_ id: WorkerID) {
    guard let process = process(id) else { return }
    guard process.state == .running, !isStopping, !leftListeners(of: process).isEmpty else { return sendStop(process) }
    let now = Clock.now()
    // The core counts its drain timeout from now on: the worker keeps most of it.
    let hold = min(Self.longestHold, supervisor.settings.drainTimeout / 4)
    heldDrains.append(HeldDrain(process: process, from: now + min(Self.handshake, hold), until: now + hold))
    heldDrainTimer?.set((now + Self.interval).microseconds)
    if hasQueue(process) {
      log.info(
        "worker \(process.pid) gets its stop signal when it has accepted what is queued on listeners that are closed")
    }
  }

  /// Tells those to drain that have waited long enough. On a stop nobody waits.
  func releaseDrains() {
    guard !heldDrains.isEmpty else { return }
    let now = Clock.now()
    heldDrains.removeAll { held in
      guard held.process.state == .running else { return true }
      let isOver = isStopping || now >= held.until || now >= held.from && !hasQueue(held.process)
      if isOver { sendStop(held.process) }
      return isOver
    }
    if !heldDrains.isEmpty { heldDrainTimer?.set((now + Self.interval).microseconds) }
  }

  /// Nothing ran for so long: whoever is queued has as much time as before.
  func putOffHeldDrains(by missed: Duration) {
    for index in heldDrains.indices {
      heldDrains[index].from = heldDrains[index].from + missed
      heldDrains[index].until = heldDrains[index].until + missed
    }
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
