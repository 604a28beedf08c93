import CRoostMaster
import RoostCore

/// Looks whether connections wait for slots that go. Nothing new is steered to them, but three things may be on the
/// way: a packet that another processor was steering, a handshake that began before, and a connection that isn't
/// accepted.
final class EmptyingSlots {
  /// If the kernel doesn't reveal handshakes, they are given this long. A lost packet is repeated after a second.
  private static let blindWait: Duration = .seconds(3)
  /// If there are more handshakes than this, they are looked at later.
  private static let mostHandshakes = 1 << 16

  /// The first slot that goes.
  var first: Int
  private let listeners: [Listener]
  /// How long was waited between the looks. Time in which nothing ran doesn't count.
  private var waited = Duration.zero
  /// The handshakes that may end in a queue of these slots, for each listener; nil if the kernel doesn't reveal them.
  private var handshakes: [Set<UInt64>?] = []
  /// How long to wait before the next look.
  private(set) var pause: Duration = .milliseconds(5)

  /// To be called when the slots from the first one on aren't steered to any more.
  init(first: Int, listeners: [Listener]) {
    self.first = first
    // A removed one is emptied by workers that drain later (`LeftQueues`).
    self.listeners = listeners.filter { $0.reuseport != nil && !$0.isRetired }
    roost_network_barrier()
    handshakes = self.listeners.map(Self.handshakes)
  }

  /// The first of the last slots for which no connection waits, and none will; nil if there is no such slot.
  func look(slotCount: Int) -> Int? {
    waited += pause
    pause = min(pause * 2, .milliseconds(200))
    guard handshakesAreOver(), let empty = firstEmpty(slotCount) else { return nil }
    // A handshake that has just ended may not have reached the queue yet.
    roost_network_barrier()
    return firstEmpty(slotCount).map { max($0, empty) }
  }

  private func handshakesAreOver() -> Bool {
    for (index, listener) in listeners.enumerated() {
      if let former = handshakes[index], former.isEmpty { continue }
      handshakes[index] = Self.handshakes(of: listener).map { handshakes[index]?.intersection($0) ?? $0 }
    }
    return handshakes.allSatisfy { $0?.isEmpty ?? (waited >= Self.blindWait) }
  }

  private func firstEmpty(_ slotCount: Int) -> Int? {
    // A stop takes all slots at once.
    guard first < slotCount else { return nil }
    let empty = (first..<slotCount).reversed().prefix { slot in
      listeners.allSatisfy { $0.isRetired || $0.isEmpty(slot: slot) }
    }
    return empty.last
  }

  private static func handshakes(of listener: Listener) -> Set<UInt64>? {
    if listener.isDatagram { return [] }
    var numbers = [UInt64](repeating: 0, count: 256)
    while true {
      var count = 0
      guard roost_handshakes(listener.descriptor.number, &numbers, numbers.count, &count) == 0,
        count <= mostHandshakes
      else { return nil }
      if count <= numbers.count { return Set(numbers[..<count]) }
      numbers = [UInt64](repeating: 0, count: count * 2)
    }
  }
}
