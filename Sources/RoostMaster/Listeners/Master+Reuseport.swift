import Glibc
import RoostCore

/// Listeners with `reuseport` follow the supervisor: what its slots are says which sockets get connections.
extension Master {
  /// Steers to the slots that serve.
  func steer() {
    guard listeners.contains(where: { $0.reuseport != nil }) else { return }
    for listener in listeners where listener.reuseport != nil {
      let slots = slotsToSteer(instead: listener.steered)
      if !listener.steer(to: slots) {
        log.error("\(MasterError(cannot: "steer \(listener.name)=\(listener.address) to the slots \(slots)"))")
      }
    }
    watchQueues()
  }

  /// The slots whose current worker is ready, and which stay. Where there is none, connections wait where they did, but
  /// not for a slot that goes.
  private func slotsToSteer(instead former: [Range<Int>]) -> [Range<Int>] {
    let staying = supervisor.slots.indices.filter { supervisor.slots[$0].emptyBy == nil }
    let serving = staying.filter { supervisor.slots[$0].worker?.isReady == true }
    let chosen = serving.isEmpty ? staying.filter { slot in former.contains { $0.contains(slot) } } : serving
    return Self.runs(chosen.isEmpty ? [0] : chosen)
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
