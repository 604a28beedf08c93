/// What the operator wants of the supervision. It was validated before it came here. The names are those of the form in which
/// settings are handed over and recorded.
package struct Settings: Hashable, Sendable, Codable {
  /// How the master learns that a worker accepts.
  package enum Readiness: Hashable, Sendable {
    /// The worker says so, at the latest this long after its start.
    case reported(timeout: Duration)
    /// Being alive this long after the start is enough.
    case alive(after: Duration)
  }

  package static let maximumWorkers = 1024

  /// The nearest number of workers that a service can have.
  static func validWorkers(_ wanted: Int) -> Int { min(max(wanted, 1), maximumWorkers) }

  /// The number of slots to begin with, 1 … `maximumWorkers`.
  package var workers = 1
  /// How many candidates are started at a time in a reload, at least 1. `Int.max` stands for all at once.
  package var surge = Int.max
  /// How the master learns that a worker accepts.
  package var readiness = Readiness.reported(timeout: .seconds(60))
  /// How long a worker of a new generation may take, once it is ready, to pass its probe; nil if there is none.
  package var probeTimeout: Duration?
  /// How often a slot's worker of the first generation is tried before the service is given up, at least 1; nil if it never is.
  package var startAttempts: Int?
  /// How long the start is tried before it is given up; nil for ever.
  package var startLimit: Duration?
  /// How long a generation has to serve without a failing worker before it is the last good one.
  package var probation: Duration = .seconds(60)
  /// Whether a start whose generation can't get ready continues with the last good one.
  package var fallsBack = true
  /// Whether a generation that keeps failing on probation is replaced by the last good one.
  package var rollsBack = false
  /// How long ready candidates are observed before they take over.
  package var settle: Duration = .seconds(1)
  /// How long a retiree may take from the stop signal to its exit.
  package var drainTimeout: Duration = .seconds(60)
  /// The wait after the second failure in a row; it is doubled after each further one.
  package var backoffFirst: Duration = .milliseconds(100)
  /// The longest such wait.
  package var backoffLongest: Duration = .seconds(30)
  /// A worker that has served this long has not failed in a row with those before it.
  package var backoffForgivenAfter: Duration = .seconds(10)
  /// How many workers of a slot that have served are replaced at once within the window.
  package var restartBurst = 5
  /// The time over which they are counted.
  package var restartWindow: Duration = .seconds(10)
  /// Whether a hook runs before the first candidate is started. A reload fails with it.
  package var beforeReload = false
  /// Whether a hook runs after the last takeover. Nothing waits for it.
  package var afterTakeover = false
  /// How long a hook may take.
  package var hookTimeout: Duration = .seconds(60)
  /// Whether connections wait for a slot and not for the service: a slot goes only when none waits for it any more.
  package var queuePerSlot = false
}

extension Settings {
  /// What holds if nothing else is asked for.
  package static let standard = Settings()

  /// How long a worker has to be alive if that is enough, and nobody has chosen.
  package static let defaultReadyAfter: Duration = .seconds(1)

  /// How long a worker may take to say that it is ready; nil if it needn't.
  package var readyTimeout: Duration? {
    get { if case .reported(let timeout) = readiness { timeout } else { nil } }
    set { if let newValue { readiness = .reported(timeout: newValue) } }
  }

  /// How long a worker has to be alive; nil if it says that it is ready.
  package var readyAfter: Duration? {
    get { if case .alive(let age) = readiness { age } else { nil } }
    set { if let newValue { readiness = .alive(after: newValue) } }
  }

  /// The wait after this many failures in a row, from 1.
  func backoff(afterFailures failures: Int) -> Duration {
    guard failures > 1 else { return .zero }
    // Thirty doublings exceed any longest wait; beyond them the shift would overflow.
    let doublings = min(failures - 2, 30)
    return min(backoffFirst * (1 << doublings), backoffLongest)
  }
}

extension Settings.Readiness: Codable {
  private enum Key: String, CodingKey {
    case timeout, age
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    if let age = try values.decodeIfPresent(Duration.self, forKey: .age) {
      self = .alive(after: age)
    } else {
      self = .reported(timeout: try values.decode(Duration.self, forKey: .timeout))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    switch self {
    case .reported(let timeout): try values.encode(timeout, forKey: .timeout)
    case .alive(let age): try values.encode(age, forKey: .age)
    }
  }
}

/// One of the operator's commands that a reload runs.
package enum Hook: String, Hashable, Sendable, Codable, CaseIterable {
  /// Before the first candidate is started. A reload fails with it.
  case beforeReload = "before-reload"
  /// After the last takeover. Nothing waits for it.
  case afterTakeover = "after-takeover"
}
