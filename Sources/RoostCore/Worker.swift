/// A worker that serves or is to serve: a current one or a candidate.
package struct Worker: Hashable, Sendable, Codable {
  package enum Stage: Hashable, Sendable, Codable {
    /// It has until then to say that it is ready.
    case starting(until: Instant)
    /// It is ready if it is still alive then.
    case aging(until: Instant)
    /// It accepts, and has until then to pass its probe.
    case probing(until: Instant)
    /// It accepts, and is observed until then.
    case settling(since: Instant, until: Instant)
    /// It accepts, and was observed if it had to be.
    case ready(since: Instant)
  }

  package let id: WorkerID
  package let purpose: Purpose
  /// When it was ordered.
  package let started: Instant
  /// How long it may take to pass its probe; nil if it isn't probed.
  package let probeTimeout: Duration?
  package internal(set) var stage: Stage
  /// Since when a signal has kept it from doing anything; nil while it runs.
  package internal(set) var stopped: Instant?
  /// How often it was stopped before it has taken over.
  package internal(set) var stops = 0

  init(id: WorkerID, for purpose: Purpose, _ settings: Settings, at now: Instant) {
    self.id = id
    self.purpose = purpose
    started = now
    probeTimeout = purpose.policy.isProbed ? settings.probeTimeout : nil
    stage =
      switch settings.readiness {
      case .reported(let timeout): .starting(until: now + timeout)
      case .alive(let age): .aging(until: now + age)
      }
  }

  /// Since when it accepts; nil if it doesn't yet.
  package var readySince: Instant? {
    switch stage {
    case .starting, .aging, .probing: nil
    case .settling(let since, _), .ready(let since): since
    }
  }

  package var isReady: Bool { readySince != nil }

  package var serves: Bool { isReady && stopped == nil }

  /// Whether nothing more is expected of it.
  var isSettled: Bool {
    if case .ready = stage { true } else { false }
  }

  var deadline: Instant? {
    switch stage {
    case .starting(let until), .aging(let until), .probing(let until), .settling(_, let until): until
    case .ready: nil
    }
  }

  func moment(at now: Instant) -> Failure.Moment {
    switch stage {
    case .starting, .aging, .probing: .starting
    case .settling: .settling
    case .ready(let since): .serving(now - since)
    }
  }
}

/// A worker that has been told to drain, or what remains of its process group.
package struct Retiree: Hashable, Sendable, Codable {
  package enum Stage: Hashable, Sendable, Codable {
    /// It hasn't been told yet: connections wait where only it can accept them, until then at the latest.
    case emptying(until: Instant)
    /// It has until then to exit.
    case draining(until: Instant)
    /// It has exited; the rest of its process group has until then.
    case remains(until: Instant)
    /// It was sent SIGKILL and has to be reaped.
    case killed
  }

  package let id: WorkerID
  /// When it was told to go, or, while it is emptying, when it was replaced.
  package private(set) var told: Instant
  package internal(set) var stage: Stage
  /// How long it may take from the signal to its exit.
  let timeout: Duration

  /// A retiree that is told now.
  init(id: WorkerID, timeout: Duration, at now: Instant) {
    self.id = id
    self.timeout = timeout
    told = now
    stage = .draining(until: now + timeout)
  }

  mutating func drain(at now: Instant) {
    told = now
    stage = .draining(until: now + timeout)
  }

  /// Whether it hasn't been told yet.
  package var isEmptying: Bool {
    if case .emptying = stage { true } else { false }
  }

  var deadline: Instant? {
    switch stage {
    case .emptying(let until), .draining(let until), .remains(let until): until
    case .killed: nil
    }
  }

  /// What to wait for once it was sent SIGKILL: nothing if the worker itself was reaped before, because the master need
  /// not be the parent of what remained.
  var killed: Retiree? {
    if case .remains = stage { return nil }
    var killed = self
    killed.stage = .killed
    return killed
  }
}
