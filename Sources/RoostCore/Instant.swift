/// A moment on the master's clock: the time since an origin that only the master knows.
public struct Instant: Comparable, Hashable, Sendable, Codable {
  /// The time since the origin.
  public let sinceOrigin: Duration

  /// The moment this long after the origin.
  public init(sinceOrigin: Duration) {
    self.sinceOrigin = sinceOrigin
  }

  /// Whether one moment is before another.
  public static func < (earlier: Instant, later: Instant) -> Bool { earlier.sinceOrigin < later.sinceOrigin }

  /// The moment this much later.
  public static func + (instant: Instant, duration: Duration) -> Instant {
    Instant(sinceOrigin: instant.sinceOrigin + duration)
  }

  /// The moment this much earlier.
  public static func - (instant: Instant, duration: Duration) -> Instant {
    Instant(sinceOrigin: instant.sinceOrigin - duration)
  }

  /// The time from one moment to a later one.
  public static func - (later: Instant, earlier: Instant) -> Duration { later.sinceOrigin - earlier.sinceOrigin }
}

extension Duration {
  /// The whole milliseconds in it.
  public var wholeMilliseconds: Int {
    Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
  }
}
