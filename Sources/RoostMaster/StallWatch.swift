import RoostCore

/// Notices time in which nothing ran, as in a virtual machine that is paused or moved: while there are deadlines, somebody
/// looks at the clock each half second, and finds it later than that.
struct StallWatch {
  private static let interval = Duration.milliseconds(500)
  /// Busy machines are late too, but not by that much.
  private static let stall = Duration.seconds(1)
  private var due: Instant?

  /// When to look next, where this deadline comes next.
  mutating func next(before deadline: Instant?, at now: Instant) -> Instant? {
    due = deadline.map { min($0, now + Self.interval) }
    return due
  }

  /// For how long nothing ran, if that was long. Told once.
  mutating func missed(at now: Instant) -> Duration? {
    guard let due, now - due >= Self.stall else { return nil }
    self.due = nil
    return now - due
  }
}
