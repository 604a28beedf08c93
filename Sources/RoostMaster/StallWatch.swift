import RoostCore

/// Notices time in which nothing ran, as in a virtual machine that is paused or moved: while there are deadlines, somebody
/// looks at the clock each half second, and finds it later than that.
struct StallWatch {
  private static let interval = Duration.milliseconds(500)
  /// Busy machines are late too, but not by that much.
  private static let stall = Duration.seconds(1)
  private var due: Instant?

  /// When to look next, where this deadline comes next; never where there is none. Counted from the last look: since then
  /// time may have passed, too, in which nothing ran.
  mutating func next(before deadline: Instant?, at now: Instant) -> Instant? {
    due = deadline.map { min($0, due ?? now + Self.interval) }
    return due
  }

  /// For how long nothing ran since the last look, if that was long.
  mutating func look(at now: Instant) -> Duration? {
    defer { due = now + Self.interval }
    guard let due, now - due >= Self.stall else { return nil }
    return now - due
  }
}
