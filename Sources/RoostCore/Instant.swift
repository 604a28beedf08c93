/// A moment on the master's clock: the time since an origin that only the master knows.
package struct Instant: Comparable, Hashable, Sendable, Codable {
  package let sinceOrigin: Duration

  package init(sinceOrigin: Duration) {
    self.sinceOrigin = sinceOrigin
  }

  package static func < (earlier: Instant, later: Instant) -> Bool { earlier.sinceOrigin < later.sinceOrigin }

  package static func + (instant: Instant, duration: Duration) -> Instant {
    Instant(sinceOrigin: instant.sinceOrigin + duration)
  }

  package static func - (instant: Instant, duration: Duration) -> Instant {
    Instant(sinceOrigin: instant.sinceOrigin - duration)
  }

  package static func - (later: Instant, earlier: Instant) -> Duration { later.sinceOrigin - earlier.sinceOrigin }
}

extension Duration {
  package var wholeMilliseconds: Int {
    Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
  }
}
