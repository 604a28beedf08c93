import RoostCore

/// What has happened since the service was started, in numbers.
package struct ServiceCounters: Hashable, Sendable, Codable {
  /// Why workers, or reloads, were given up.
  package enum Cause: String, Hashable, Sendable, Codable, CodingKeyRepresentable, CaseIterable {
    /// The configuration couldn't be read, or what it names isn't there.
    case notPrepared = "not_prepared"
    /// The operator's command before the reload has failed.
    case hookFailed = "hook_failed"
    /// The worker's command couldn't be executed.
    case notStarted = "not_started"
    /// A worker exited.
    case exited
    /// A worker was killed by a signal.
    case signalled
    /// A worker wasn't ready in time.
    case notReady = "not_ready"
    /// A signal stopped a worker that was to take over.
    case stopped
    /// A worker didn't pass its probe in time.
    case probeFailed = "probe_failed"
    /// An operator has ended it.
    case cancelled
  }

  package struct Reload: Hashable, Sendable, Codable {
    /// Whether its generation serves.
    package var succeeded: Bool
    /// When it ended, in µs since 1970.
    package var ended: Int
    /// How long it took, in µs.
    package var microseconds: Int
  }

  /// Workers that ran their command.
  package internal(set) var workersStarted = 0
  package internal(set) var workersReady = 0
  package internal(set) var workersLost: [Cause: Int] = [:]
  /// Current workers that have recycled themselves.
  package internal(set) var workersRecycled = 0
  /// Retirees that have exited.
  package internal(set) var drains = 0
  /// Retirees, or what remained of them, that had to be killed because their drain timeout was over.
  package internal(set) var drainsTimedOut = 0
  package internal(set) var reloadsFailed: [Cause: Int] = [:]
  /// How long the successful reloads took.
  package internal(set) var succeeded = DurationHistogram()
  /// How long the failed reloads took.
  package internal(set) var failed = DurationHistogram()
  /// Starts that continued with what a former generation ran.
  package internal(set) var fallbacks = 0
  /// Generations whose workers kept failing on probation.
  package internal(set) var crashLoops = 0
  package internal(set) var lastReload: Reload?
  /// When a reload last succeeded, in µs since 1970.
  package internal(set) var lastSuccess: Int?

  package init() {}

  /// Whether they can be continued.
  package var areSound: Bool { succeeded.isSound && failed.isSound }

  /// Takes account of what has happened now, in µs since 1970.
  package mutating func count(_ notice: Notice, at now: Int) {
    switch notice {
    case .workerStarted: workersStarted += 1
    case .workerReady: workersReady += 1
    case .workerLost(_, let failure, _): workersLost[Cause(failure), default: 0] += 1
    case .workerRecycled: workersRecycled += 1
    case .drainEnded: drains += 1
    case .drainTimedOut: drainsTimedOut += 1
    case .reloadSucceeded(_, let after):
      succeeded.add(after.microseconds)
      lastReload = Reload(succeeded: true, ended: now, microseconds: after.microseconds)
      lastSuccess = now
    case .reloadFailed(_, let failure, let after, _, _, _):
      failed.add(after.microseconds)
      reloadsFailed[Cause(failure), default: 0] += 1
      lastReload = Reload(succeeded: false, ended: now, microseconds: after.microseconds)
    case .fellBack, .startedFromRecord: fallbacks += 1
    case .crashLoop: crashLoops += 1
    // Most of what is reported isn't counted.
    default: break
    }
  }
}

extension ServiceCounters.Cause {
  init(_ failure: Failure) {
    self =
      switch failure {
      // The last two are those of a start, and are counted nowhere.
      case .notPrepared, .notListening, .tookTooLong: .notPrepared
      case .cancelled, .replaced, .overtaken: .cancelled
      case .hookFailed: .hookFailed
      case .notStarted: .notStarted
      case .exited(_, .exited, _): .exited
      case .exited(_, .signalled, _): .signalled
      case .notReady: .notReady
      case .stopped: .stopped
      case .probeFailed: .probeFailed
      }
  }
}

extension Duration {
  var microseconds: Int { Int(components.seconds) * 1_000_000 + Int(components.attoseconds / 1_000_000_000_000) }
}
