/// If each slot has its own queue, a slot that is no longer wanted stays until no connection waits in it. Its worker
/// keeps accepting, and is replaced if it dies. The last slots go first: the later one was given up, the sooner its
/// time is over.
extension Supervisor {
  mutating func queuesEmpty(from first: Int, at now: Instant) {
    switch phase {
    case .serving:
      // A slot that was given up may be wanted again by now, and stays.
      let staying = slots.firstIndex { $0.emptyBy != nil } ?? slots.count
      removeSlots(downTo: max(first, staying), at: now)
    case .idle, .starting, .reloading, .stopping, .stopped:
      break  // A reload takes all slots along, and looks at the queues when it has ended.
    }
  }

  /// The time of the last slots is over.
  mutating func removeOverdueSlots(at now: Instant) {
    while let last = slots.indices.last, let deadline = slots[last].emptyBy, deadline <= now {
      report(.queueNotEmpty(slot: last, timeout: settings.drainTimeout))
      removeSlots(downTo: last, at: now)
    }
  }

  mutating func removeSlots(downTo count: Int, at now: Instant) {
    while slots.count > count {
      for worker in slots.removeLast().workers { retire(worker, at: now) }
    }
  }
}
