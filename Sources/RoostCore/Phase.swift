/// What the service is doing as a whole.
package enum Phase: Hashable, Sendable, Codable {
  /// Nothing has been requested yet.
  case idle
  /// The first generation is starting.
  case starting(Start)
  /// Nothing is pending.
  case serving
  /// A reload is running.
  case reloading(Reload)
  /// Every worker has been told to go.
  case stopping(Stop)
  /// Every worker is reaped.
  case stopped
}

/// The start of the service, from the first try until a generation serves.
package struct Start: Hashable, Sendable, Codable {
  package enum Stage: Hashable, Sendable, Codable {
    /// The listeners couldn't be opened; the next try comes then.
    case awaitingListeners(until: Instant)
    /// The last good release is being prepared, and has until then. The workers of the generation before keep trying.
    case preparing(Generation, until: Instant)
    /// The workers were started and are not all ready.
    case startingWorkers
  }

  package let began: Instant
  package internal(set) var stage = Stage.startingWorkers
  /// How many tries have failed: of a worker to get ready, or of the listeners to be opened.
  package internal(set) var failures = 0
  /// Whether what served last couldn't be prepared either while the listeners weren't open.
  var hasFallenBackInVain = false
  /// The reload that was requested since.
  package internal(set) var latched: Origin?
  /// When the start is given up.
  package internal(set) var limit: Instant?

  init(began: Instant, limit: Duration?) {
    self.began = began
    self.limit = limit.map { began + $0 }
  }

  var deadline: Instant? {
    let own: Instant? =
      switch stage {
      case .awaitingListeners(let until), .preparing(_, let until): until
      case .startingWorkers: nil
      }
    return earliest(own, limit)
  }
}

package struct Stop: Hashable, Sendable, Codable {
  /// How the master ends when every worker is reaped.
  package let verdict: Verdict
  /// Whether there is no more waiting: what is left is killed.
  package internal(set) var isAtOnce = false

  init(_ verdict: Verdict) {
    self.verdict = verdict
  }
}

package struct RunningHook: Hashable, Sendable, Codable {
  package let hook: Hook
  /// The generation of the reload that runs it.
  package let generation: Generation
  package let began: Instant
  /// When it is killed.
  package internal(set) var deadline: Instant
}

package struct Reload: Hashable, Sendable, Codable {
  package enum Stage: Hashable, Sendable, Codable {
    /// The generation is being prepared, and has until then.
    case preparing(until: Instant)
    /// The operator's command that has to succeed before candidates are started is running.
    case awaitingHook
    /// The candidates of these slots were started, and take over together.
    case replacing(Range<Int>)
  }

  package let generation: Generation
  package let origin: Origin
  /// The start that continues if this reload fails; nil if the service had been started.
  package internal(set) var start: Start?
  package let began: Instant
  package internal(set) var stage: Stage
  /// How many workers are wanted once it has succeeded.
  package internal(set) var workers: Int
  /// How many slots, from slot 0 up, have been taken over.
  package internal(set) var moved = 0
  /// The other reload that was requested since.
  package internal(set) var latched: Origin?

  package var isPreparing: Bool {
    if case .preparing = stage { true } else { false }
  }

  var deadline: Instant? {
    if case .preparing(let until) = stage { until } else { nil }
  }
}
