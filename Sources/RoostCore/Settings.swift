/// What the operator wants of the supervision. It was validated before it came here.
public struct Settings: Hashable, Sendable {
  /// How the master learns that a worker accepts.
  public enum Readiness: Hashable, Sendable {
    /// The worker says so, at the latest this long after its start.
    case reported(timeout: Duration)
    /// Being alive this long after the start is enough.
    case alive(after: Duration)
  }

  /// The most workers that a service can have.
  public static let maximumWorkers = 1024

  /// The nearest number of workers that a service can have.
  static func validWorkers(_ wanted: Int) -> Int { min(max(wanted, 1), maximumWorkers) }

  /// The number of slots to begin with, 1 … `maximumWorkers`.
  public var workers: Int
  /// How many candidates are started at a time in a reload, at least 1. `Int.max` stands for all at once.
  public var surge: Int
  /// How the master learns that a worker accepts.
  public var readiness: Readiness
  /// How long a worker of a new generation may take, once it is ready, to pass its probe; nil if there is none.
  public var probeTimeout: Duration?
  /// How often a slot's worker of the first generation is tried before the service is given up, at least 1; nil if it
  /// never is.
  public var startAttempts: Int?
  /// How long the start is tried before it is given up; nil for ever.
  public var startLimit: Duration?
  /// How long a generation has to serve without a failing worker before it is the last good one.
  public var probation: Duration
  /// Whether a start whose generation can't get ready continues with the last good one.
  public var fallsBack: Bool
  /// Whether a generation that keeps failing on probation is replaced by the last good one.
  public var rollsBack: Bool
  /// How long ready candidates are observed before they take over.
  public var settle: Duration
  /// How long a retiree may take from the stop signal to its exit.
  public var drainTimeout: Duration
  /// The waits between the restarts of a worker that keeps failing.
  public var backoff: Backoff
  /// The operator's commands that a reload runs.
  public var hooks: Set<Hook>
  /// How long such a command may take.
  public var hookTimeout: Duration
  /// Whether connections wait for a slot and not for the service: a slot goes only when none waits for it any more.
  public var queuePerSlot: Bool

  /// Settings with the given values.
  public init(
    workers: Int = 1, surge: Int = .max, readiness: Readiness = .reported(timeout: .seconds(60)),
    probeTimeout: Duration? = nil, startAttempts: Int? = nil, startLimit: Duration? = nil,
    probation: Duration = .seconds(60), fallsBack: Bool = true, rollsBack: Bool = false, settle: Duration = .seconds(1),
    drainTimeout: Duration = .seconds(60), backoff: Backoff = Backoff(), hooks: Set<Hook> = [],
    hookTimeout: Duration = .seconds(60), queuePerSlot: Bool = false
  ) {
    self.workers = workers
    self.surge = surge
    self.readiness = readiness
    self.probeTimeout = probeTimeout
    self.startAttempts = startAttempts
    self.startLimit = startLimit
    self.probation = probation
    self.fallsBack = fallsBack
    self.rollsBack = rollsBack
    self.settle = settle
    self.drainTimeout = drainTimeout
    self.backoff = backoff
    self.hooks = hooks
    self.hookTimeout = hookTimeout
    self.queuePerSlot = queuePerSlot
  }
}

/// One of the operator's commands that a reload runs.
public enum Hook: String, Hashable, Sendable, Codable, CaseIterable {
  /// Before the first candidate is started. A reload fails with it.
  case beforeReload = "before-reload"
  /// After the last takeover. Nothing waits for it.
  case afterTakeover = "after-takeover"
}

/// How long the restart of a worker is delayed: not at all for the first losses of workers that have served, then twice
/// as long each time.
public struct Backoff: Hashable, Sendable {
  /// The wait after the second failure in a row.
  public var first: Duration
  /// The longest wait.
  public var longest: Duration
  /// A worker that has served this long has not failed in a row with those before it.
  public var forgivenAfter: Duration
  /// How many workers of a slot that have served are replaced at once within the window.
  public var burst: Int
  /// The time over which they are counted.
  public var window: Duration

  /// A backoff with these times.
  public init(
    first: Duration = .milliseconds(100), longest: Duration = .seconds(30), forgivenAfter: Duration = .seconds(10),
    burst: Int = 5, window: Duration = .seconds(10)
  ) {
    self.first = first
    self.longest = longest
    self.forgivenAfter = forgivenAfter
    self.burst = burst
    self.window = window
  }

  /// The wait after this many failures in a row, from 1.
  public func delay(afterFailures failures: Int) -> Duration {
    guard failures > 1 else { return .zero }
    // Thirty doublings exceed any longest wait; beyond them the shift would overflow.
    let doublings = min(failures - 2, 30)
    return min(first * (1 << doublings), longest)
  }
}
