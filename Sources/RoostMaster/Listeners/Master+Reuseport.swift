import Glibc
import RoostCore

/// Listeners with `reuseport` follow the supervisor: what its slots are says which sockets get connections.
extension Master {
  /// Steers to the slots that serve.
  func steer() {
    defer { watchQueues() }
    // A removed one lets nobody in any more.
    for listener in listeners where listener.reuseport != nil && !listener.isRetired {
      let slots = slotsToSteer(of: listener)
      if !listener.steer(to: slots) {
        log.error("\(MasterError(cannot: "steer \(listener.name)=\(listener.address) to the slots \(slots)"))")
      }
    }
  }

  /// The slots whose current worker is ready and has the listener, and which stay: during a roll some workers have others.
  /// Where there is none, those whose candidate is; else connections wait where they did, but not for a slot that goes.
  private func slotsToSteer(of listener: Listener) -> [Range<Int>] {
    let staying = supervisor.slots.indices.filter { supervisor.slots[$0].emptyBy == nil }
    let serving = staying.filter { accepts(supervisor.slots[$0].worker, on: listener) }
    let coming = staying.filter { accepts(supervisor.slots[$0].candidate, on: listener) }
    let former = staying.filter { slot in listener.steered.contains { $0.contains(slot) } }
    let chosen = serving.isEmpty ? (coming.isEmpty ? former : coming) : serving
    return Self.runs(chosen.isEmpty ? [0] : chosen)
  }

  private func accepts(_ worker: Worker?, on listener: Listener) -> Bool {
    worker.map { $0.isReady && isGiven($0.id.generation, listener) } ?? false
  }

  /// Whether the workers of a generation have a listener.
  func isGiven(_ generation: Generation, _ listener: Listener) -> Bool {
    releases[generation]?.listeners.contains { $0.listener === listener } == true
  }

  private static func runs(_ slots: [Int]) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for slot in slots {
      if let last = runs.last, last.upperBound == slot {
        runs[runs.count - 1] = last.lowerBound..<slot + 1
      } else {
        runs.append(slot..<slot + 1)
      }
    }
    return runs
  }

  /// Begins to look at the queues of slots that go, or ends it.
  private func watchQueues() {
    guard let first = supervisor.slots.firstIndex(where: { $0.emptyBy != nil }) else {
      queueWatch = nil
      queueTimer?.set(nil)
      return
    }
    if let queueWatch, queueWatch.first <= first {
      queueWatch.first = first
    } else {
      let watch = QueueWatch(first: first, listeners: listeners)
      queueWatch = watch
      queueTimer?.set((Clock.now() + watch.pause).microseconds)
    }
  }

  func lookAtQueues() {
    queueTimer?.wentOff()
    guard let queueWatch else { return }
    let empty = queueWatch.look(slotCount: supervisor.slots.count)
    queueTimer?.set((Clock.now() + queueWatch.pause).microseconds)
    if let empty { handle(.queuesEmpty(from: empty)) }
  }

  /// Closes the sockets of slots that are gone, once no process has them that was given them: one that drains may still
  /// take connections out of its queue.
  func closeUnusedSockets() {
    let used = max(supervisor.slots.count, (processes.map(\.id.slot).max() ?? -1) + 1)
    for listener in listeners where listener.reuseport != nil {
      listener.closeSockets(after: used)
      fdStore.dropClosed(listener)
    }
  }
}
