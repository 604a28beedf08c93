/// The clock by which the supervisor counts: CLOCK_MONOTONIC without the time in which nothing ran, as in a virtual
/// machine that is paused or moved. A deadline is there to give up what takes too long, and while nothing ran, nothing
/// took too long.
///
/// While there are deadlines, it is looked at every half second. If nothing ran, the look comes later than that.
package struct ServiceClock: Hashable, Sendable, Codable {
  private static let interval = Duration.milliseconds(500)
  /// Busy machines are late too, but not by that much.
  private static let stall = interval + .seconds(1)

  package private(set) var stoodStill = Duration.zero
  private var last: Instant?
  private var told: Instant?

  package init() {}

  /// What it shows at this time of CLOCK_MONOTONIC.
  package func reading(at time: Instant) -> Instant { time - stoodStill }

  /// When it shows this, unless it stands still before.
  package func time(of reading: Instant) -> Instant { reading + stoodStill }

  /// When to look next if this deadline comes next; never if there is none. Counted from the last look: time in which
  /// nothing ran may have passed since then, too.
  package mutating func nextLook(before deadline: Instant?, at time: Instant) -> Instant? {
    guard let deadline else {
      last = nil
      return nil
    }
    let from = last ?? time
    last = from
    return min(self.time(of: deadline), from + Self.interval)
  }

  /// The master itself was held until now: that is no stall.
  package mutating func wasHeld(until time: Instant) {
    if last != nil { last = time }
  }

  /// How long nothing ran since the last look, if that was long: it has stood still for that time.
  package mutating func look(at time: Instant) -> Duration? {
    defer { last = time }
    guard let last, time - last >= Self.stall else { return nil }
    // Measured from the last look, so that no deadline comes too early. But if stalls follow each other, that would be
    // all the time there is, and what hangs would never be given up.
    let follows = told.map { last - $0 < Self.interval } ?? false
    told = time
    let missed = time - last - (follows ? Self.interval : .zero)
    stoodStill += missed
    return missed
  }
}
