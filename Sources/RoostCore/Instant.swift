/// A moment on the master's clock: the time since an origin that only the master knows.
package struct Instant: Comparable, Hashable, Sendable, Codable {
  /// The time since the origin.
  package let sinceOrigin: Duration

  /// The moment that lies so long after the origin.
  package init(sinceOrigin: Duration) {
    self.sinceOrigin = sinceOrigin
  }

  /// Whether one moment lies before another.
  package static func < (earlier: Instant, later: Instant) -> Bool { earlier.sinceOrigin < later.sinceOrigin }

  /// The moment that lies so much later.
  package static func + (instant: Instant, duration: Duration) -> Instant {
    Instant(sinceOrigin: instant.sinceOrigin + duration)
  }

  /// The moment that lies so much earlier.
  package static func - (instant: Instant, duration: Duration) -> Instant {
    Instant(sinceOrigin: instant.sinceOrigin - duration)
  }

  /// The time from one moment to a later one.
  package static func - (later: Instant, earlier: Instant) -> Duration { later.sinceOrigin - earlier.sinceOrigin }
}

extension Duration {
  /// The whole milliseconds in it.
  package var wholeMilliseconds: Int {
    Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
  }
}
