/// When to look whether a worker has begun to accept, and what a sighting means. A worker that was seen accepting once
/// has begun, even if it is busy with a request the next time.
package struct AcceptanceSchedule: Hashable, Sendable {
  package enum Stage: Hashable, Sendable {
    /// The next look is due then, and the one after it this much later.
    case looking(next: Instant, interval: Duration)
    /// It was seen to accept everywhere. It is ready then, unless it speaks first.
    case proving(until: Instant)
    /// It is ready, or speaks for itself: no more looks are needed.
    case over
  }

  /// The first look comes this long after the start: a shell or a C program may be up by then.
  static let firstInterval: Duration = .milliseconds(5)
  /// Looks are never further apart than this: on top of a boot that long nobody notices it.
  static let longestInterval: Duration = .milliseconds(100)

  /// The wait after a look that had to be given up.
  static let hungInterval: Duration = .seconds(10)

  package private(set) var stage: Stage
  /// How long a worker that was seen may still say that it speaks for itself.
  private let grace: Duration

  /// A watch over a worker that starts now. With a grace of zero a sighting is enough.
  package init(grace: Duration, at now: Instant) {
    self.grace = grace
    stage = .looking(next: now + Self.firstInterval, interval: Self.firstInterval)
  }

  package var deadline: Instant? {
    switch stage {
    case .looking(let next, _): next
    case .proving(let until): until
    case .over: nil
    }
  }

  /// Whether it waits to be seen.
  package var isLooking: Bool {
    if case .looking = stage { true } else { false }
  }

  package func isLookDue(at now: Instant) -> Bool {
    if case .looking(let next, _) = stage { next <= now } else { false }
  }

  /// A look is over. `everywhere` if the worker was seen to accept on each of its listeners, now or before.
  package mutating func looked(everywhere: Bool, at now: Instant) {
    guard case .looking(_, let interval) = stage else { return }
    let longer = min(interval + interval / 2, Self.longestInterval)
    stage = everywhere ? .proving(until: now + grace) : .looking(next: now + longer, interval: longer)
  }

  /// A look had to be given up, because it has to wait for the worker. The next one may be as expensive.
  package mutating func lookHung(at now: Instant) {
    guard case .looking(_, let interval) = stage else { return }
    stage = .looking(next: now + Self.hungInterval, interval: interval)
  }

  /// The worker has sent a message: it speaks for itself, and sightings don't count any more. With a grace of zero only
  /// a sighting counts, and messages are no reason to stop looking.
  package mutating func spoke() {
    if grace > .zero { stage = .over }
  }

  /// Nothing more is expected of the worker.
  package mutating func end() { stage = .over }

  /// Whether the worker has become ready. Says so once.
  package mutating func becomesReady(at now: Instant) -> Bool {
    guard case .proving(let until) = stage, until <= now else { return false }
    stage = .over
    return true
  }
}
