import RoostCore

/// A worker that is told to drain a little later.
struct HeldDrain {
  let process: WorkerProcess
  /// Not before: a handshake that had begun when the listener was shut takes a moment to get into the queue.
  let from: Instant
  /// At the latest, whoever is queued.
  let until: Instant

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
    let retired = retiredListeners(of: process)
    guard process.state == .running, !isStopping, !retired.isEmpty else { return process.drain() }
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
      if isOver { held.process.drain() }
      return isOver
    }
    if !heldDrains.isEmpty { heldDrainTimer?.set((now + Self.interval).microseconds) }
  }

  private func retiredListeners(of process: WorkerProcess) -> [Listener] {
    process.release.listeners.map(\.listener).filter(\.isRetired)
  }

  private func hasQueue(_ process: WorkerProcess) -> Bool {
    retiredListeners(of: process).contains { listener in
      listener.sampleQueue()
      return listener.queue.now?.queued ?? 0 > 0
    }
  }
}
