import RoostCore

/// How many of a worker's stops are reported: it can stop itself, and have a child continue it, as often as it likes.
/// The status always says what holds.
struct StopNews {
  /// No more than these are reported, until none came for a while.
  static let most = 10
  /// How long that is.
  static let calm: Duration = .seconds(60)

  /// What to do with the news.
  enum Decision: Hashable {
    case tell
    /// Report it, and that no more will be.
    case tellAsLast
    case leaveOut
  }

  private var count = 0
  private var last: Instant?

  mutating func stopped(at now: Instant) -> Decision {
    if let last, now - last >= Self.calm { count = 0 }
    last = now
    if count >= Self.most { return .leaveOut }
    count += 1
    return count == Self.most ? .tellAsLast : .tell
  }

  /// The worker continues. Returns whether to report that: only if its stop was reported, and others would be.
  mutating func wentOn(at now: Instant) -> Bool {
    last = now
    return count > 0 && count < Self.most
  }
}
