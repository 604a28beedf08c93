import RoostCore

/// How much is told of a worker's stops: it can stop itself, and have a child of its own let it go on, as often as it
/// likes. What the status says is always what holds.
struct StopNews {
  /// More aren't told, until nothing came for a while.
  static let most = 10
  /// How long that is.
  static let calm: Duration = .seconds(60)

  /// What to do with the news.
  enum Decision: Hashable {
    case tell
    /// Tell it, and that no more is told.
    case tellAsLast
    case leaveOut
  }

  private var count = 0
  private var last: Instant?

  /// The worker was stopped.
  mutating func stopped(at now: Instant) -> Decision {
    if let last, now - last >= Self.calm { count = 0 }
    last = now
    if count >= Self.most { return .leaveOut }
    count += 1
    return count == Self.most ? .tellAsLast : .tell
  }

  /// The worker goes on. Whether to tell that: only where its stop was told, and others would be.
  mutating func wentOn(at now: Instant) -> Bool {
    last = now
    return count > 0 && count < Self.most
  }
}
