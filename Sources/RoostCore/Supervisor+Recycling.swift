/// A worker that has served and ends with status 0 has not failed: it has recycled itself, as servers do after so many
/// requests. It is replaced at once, up to a rate.
extension Supervisor {
  /// Replaces a worker that has recycled itself. Whether it has. Its slot is vacant.
  mutating func recycles(_ worker: Worker, at now: Instant) -> Bool {
    let index = worker.id.slot
    guard case .ready(let since) = worker.stage else { return false }
    var recycling = slots[index].recycling.flatMap { $0.isOver(at: now) ? nil : $0 } ?? Recycling(began: now)
    let isOften = recycling.count >= Recycling.maximumCount
    // A start has to come to an end.
    if isOften, hasNeverServed { return false }
    if !isOften { recycling.count += 1 }
    slots[index].recycling = recycling
    if worker.servedLongEnough(settings.backoff, at: now) { slots[index].failures = 0 }
    let then: Consequence
    if slots[index].candidate != nil {
      then = .awaitsCandidate
    } else if isOften {
      slots[index].current = .backingOff(until: now + Recycling.pause)
      then = .another(after: Recycling.pause)
    } else {
      slots[index].current = .worker(spawn(slot: index, generation: serving, settings, probed: hasNeverServed, at: now))
      then = .another(after: .zero)
    }
    order(.report(.workerRecycled(worker.id, after: now - since, then: then)))
    return true
  }
}

/// How often workers of a slot have recycled themselves lately.
public struct Recycling: Hashable, Sendable, Codable {
  /// Over what time they are counted.
  static let window: Duration = .seconds(10)
  /// Who does it more often within that time is replaced after a pause.
  static let maximumCount = 5
  /// Always the same: it isn't a failure that gets worse.
  static let pause: Duration = .seconds(1)

  let began: Instant
  var count = 0

  init(began: Instant) {
    self.began = began
  }

  func isOver(at now: Instant) -> Bool { now - began >= Self.window }
}
