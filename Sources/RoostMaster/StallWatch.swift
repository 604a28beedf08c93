import RoostCore

/// Notices time in which nothing ran, as in a virtual machine that is paused or moved: while there are deadlines, somebody
/// looks at the clock each half second, and finds it later than that.
struct StallWatch {
  private static let interval = Duration.milliseconds(500)
  /// Busy machines are late too, but not by that much.
  private static let stall = interval + .seconds(1)
  private var last: Instant?
  private var told: Instant?

  /// When to look next, where this deadline comes next; never where there is none. Counted from the last look: since then
  /// time may have passed, too, in which nothing ran.
  mutating func next(before deadline: Instant?, at now: Instant) -> Instant? {
    guard let deadline else {
      last = nil
      return nil
    }
    let from = last ?? now
    last = from
    return min(deadline, from + Self.interval)
  }

  /// The master itself was held until now: that is no stall.
  mutating func wasHeld(until now: Instant) {
    if last != nil { last = now }
  }

  /// For how long nothing ran since the last look, if that was long.
  mutating func look(at now: Instant) -> Duration? {
    defer { last = now }
    guard let last, now - last >= Self.stall else { return nil }
    // Measured from the last look, so that nobody loses time by it. But where stalls follow each other, that would be all
    // the time there is, and who hangs would never be given up.
    let follows = told.map { last - $0 < Self.interval } ?? false
    told = now
    return now - last - (follows ? Self.interval : .zero)
  }
}
