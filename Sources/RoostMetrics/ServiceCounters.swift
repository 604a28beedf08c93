import RoostCore

/// What has happened since the service was started, in numbers.
public struct ServiceCounters: Hashable, Sendable, Codable {
  /// Why workers, or reloads, were given up.
  public enum Cause: String, Hashable, Sendable, Codable, CodingKeyRepresentable, CaseIterable {
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

  /// A reload that has ended.
  public struct Reload: Hashable, Sendable, Codable {
    /// Whether its generation serves.
    public var succeeded: Bool
    /// When it ended, in µs since 1970.
    public var ended: Int
    /// How long it took, in µs.
    public var microseconds: Int

    /// A reload that ended like this.
    public init(succeeded: Bool, ended: Int, microseconds: Int) {
      self.succeeded = succeeded
      self.ended = ended
      self.microseconds = microseconds
    }
  }

  /// Workers that ran their command.
  public internal(set) var workersStarted = 0
  /// Workers that got ready.
  public internal(set) var workersReady = 0
  /// Current workers that were lost.
  public internal(set) var workersLost: [Cause: Int] = [:]
  /// Current workers that have recycled themselves.
  public internal(set) var workersRecycled = 0
  /// Retirees that have exited.
  public internal(set) var drains = 0
  /// Retirees, or what remained of them, that had to be killed because their drain timeout was over.
  public internal(set) var drainsTimedOut = 0
  /// Reloads that failed.
  public internal(set) var reloadsFailed: [Cause: Int] = [:]
  /// How long the successful reloads took.
  public internal(set) var succeeded = DurationHistogram()
  /// How long the failed reloads took.
  public internal(set) var failed = DurationHistogram()
  /// Starts that continued with what a former generation ran.
  public internal(set) var fallbacks = 0
  /// Generations whose workers kept failing on probation.
  public internal(set) var crashLoops = 0
  /// The last reload.
  public internal(set) var lastReload: Reload?
  /// When a reload last succeeded, in µs since 1970.
  public internal(set) var lastSuccess: Int?

  /// Nothing has happened yet.
  public init() {}

  /// Whether they can be continued.
  public var areSound: Bool { succeeded.isSound && failed.isSound }

  /// Takes account of what has happened now, in µs since 1970.
  public mutating func count(_ notice: Notice, at now: Int) {
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
