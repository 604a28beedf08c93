import RoostCore
import RoostLog
import RoostSystemd

/// Listeners with `reuseport` follow the supervisor: its slots decide which sockets get connections.
final class Steering {
  private let listeners: ServiceListeners
  private let log: Log
  /// Looks at the queues of slots that go, while there are any.
  private var watch: EmptyingSlots?
  private var timer: Timer?

  init(_ listeners: ServiceListeners, _ log: Log) {
    self.listeners = listeners
    self.log = log
  }

  /// Calls the handler with the first of the last slots whose queues are empty and stay empty.
  func watch(
    in loop: EventLoop, slotCount: @escaping () -> Int, _ areEmpty: @escaping (Int) -> Void
  ) throws(SystemdError) {
    timer = try loop.timer(priority: .late) { [unowned self] in
      guard let watch else { return }
      let empty = watch.look(slotCount: slotCount())
      timer?.set((Clock.now() + watch.pause).microseconds)
      if let empty { areEmpty(empty) }
    }
  }

  /// Steers to the slots that serve, and begins to look at the queues of those that go.
  func follow(_ slots: [Slot], _ releases: Releases) {
    // A removed one lets no more connections in.
    for listener in listeners.all where listener.reuseport != nil && !listener.isRetired {
      let chosen = Self.slots(slots, of: listener, releases)
      if !listener.steer(to: chosen) {
        log.error("\(MasterError(cannot: "steer \(listener.name)=\(listener.address) to the slots \(chosen)"))")
      }
    }
    watchQueues(slots)
  }

  /// The slots that stay and whose current worker is ready and has the listener: during a roll some workers have
  /// others. If there are none, those whose candidate is; otherwise connections wait where they did, but not for a slot
  /// that goes.
  private static func slots(_ slots: [Slot], of listener: Listener, _ releases: Releases) -> [Range<Int>] {
    func accepts(_ worker: Worker?) -> Bool {
      worker.map { $0.isReady && releases.isGiven($0.id.generation, listener) } ?? false
    }
    let staying = slots.indices.filter { slots[$0].emptyBy == nil }
    let serving = staying.filter { accepts(slots[$0].worker) }
    let coming = staying.filter { accepts(slots[$0].candidate) }
    let former = staying.filter { slot in listener.steered.contains { $0.contains(slot) } }
    let chosen = serving.isEmpty ? (coming.isEmpty ? former : coming) : serving
    return runs(chosen.isEmpty ? [0] : chosen)
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

  /// Begins to look at the queues of slots that go, or stops.
  private func watchQueues(_ slots: [Slot]) {
    guard let first = slots.firstIndex(where: { $0.emptyBy != nil }) else {
      watch = nil
      timer?.set(nil)
      return
    }
    if let watch, watch.first <= first {
      watch.first = first
    } else {
      let new = EmptyingSlots(first: first, listeners: listeners.all)
      watch = new
      timer?.set((Clock.now() + new.pause).microseconds)
    }
  }
}
