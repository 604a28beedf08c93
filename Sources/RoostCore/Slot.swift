/// A worker's place.
package struct Slot: Hashable, Sendable, Codable {
  package enum Occupant: Hashable, Sendable, Codable {
    /// No worker yet: a reload has added the slot, and starts the first one for it.
    case added
    /// No worker: the slot's candidate was started, and the worker has died since or hadn't been started yet.
    case vacant
    /// No worker until then, when another is started for this purpose.
    case waiting(until: Instant, Purpose)
    /// This worker.
    case worker(Worker)
  }

  package internal(set) var current: Occupant
  /// The worker that is to take the slot over from one that serves.
  package internal(set) var candidate: Worker?
  /// How many workers in a row have failed here.
  package internal(set) var failures = 0
  /// How many of these failures were answered by a wait.
  var waits = 0
  /// How often a worker was recently replaced at once.
  var burst: Burst?
  /// When a slot that is to go does so even if connections wait for it; nil if it stays.
  package internal(set) var emptyBy: Instant?

  init(_ current: Occupant) {
    self.current = current
  }

  package var worker: Worker? {
    if case .worker(let worker) = current { worker } else { nil }
  }

  package var workers: [Worker] { [worker, candidate].compactMap(\.self) }

  var deadline: Instant? {
    let own: Instant? =
      switch current {
      case .added, .vacant: nil
      case .waiting(let until, _): until
      case .worker(let worker): worker.deadline
      }
    return earliest(earliest(own, candidate?.deadline), emptyBy)
  }
}

/// How often workers of a slot were replaced at once.
struct Burst: Hashable, Sendable, Codable {
  /// A worker that recycles itself more often is replaced after this time, always the same: it isn't a failure that
  /// gets worse.
  static let pause: Duration = .seconds(1)

  let began: Instant
  var count = 0
}

extension Slot {
  /// Whether the next loss isn't answered at once.
  func isBurstOver(_ settings: Settings, at now: Instant) -> Bool {
    guard let burst, now - burst.began < settings.restartWindow else { return settings.restartBurst == 0 }
    return burst.count >= settings.restartBurst
  }

  /// Counts the loss of a worker that had the slot. Returns how long to wait before its successor is started.
  mutating func count(_ worker: Worker, for successor: Purpose, _ settings: Settings, at now: Instant) -> Duration {
    if let since = worker.readySince {
      if now - since >= settings.backoffForgivenAfter { (failures, waits) = (0, 0) }
      if burst.map({ now - $0.began >= settings.restartWindow }) ?? true { (burst, waits) = (Burst(began: now), 0) }
    }
    let isAtOnce = worker.isReady && !isBurstOver(settings, at: now)
    switch successor.policy.succession {
    case .beside, .vacancy(.nothing): return .zero
    case .vacancy(.pause):
      if isAtOnce { burst?.count += 1 }
      return isAtOnce ? .zero : Burst.pause
    case .vacancy(.burst) where isAtOnce:
      burst?.count += 1
      failures += 1
      return .zero
    case .vacancy(.burst), .vacancy(.backoff):
      failures += 1
      waits += 1
      return wait(settings)
    }
  }

  /// How long to wait before a worker is started here. Unlike one that has served, a worker that never did isn't tried
  /// again at once: what it needs may come up.
  func wait(_ settings: Settings) -> Duration { settings.backoff(afterFailures: waits + 1) }
}

package func earliest(_ one: Instant?, _ other: Instant?) -> Instant? {
  guard let one else { return other }
  guard let other else { return one }
  return min(one, other)
}
