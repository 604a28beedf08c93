/// A worker that serves or is to serve: a current one or a candidate.
public struct Worker: Hashable, Sendable, Codable {
  /// How far it has come.
  public enum Stage: Hashable, Sendable, Codable {
    /// It has until then to say that it is ready.
    case starting(until: Instant)
    /// It is ready if it is still alive then.
    case aging(until: Instant)
    /// It accepts, and has until then to pass its probe.
    case probing(until: Instant)
    /// It accepts.
    case ready(since: Instant)
  }

  /// Who it is.
  public let id: WorkerID
  /// When it was ordered.
  public let started: Instant
  /// How long it may take to pass its probe; nil where it isn't probed.
  public let probeTimeout: Duration?
  /// How far it has come.
  public internal(set) var stage: Stage
  /// Since when a signal has kept it from doing anything; nil while it runs.
  public internal(set) var stopped: Instant?
  /// How often it has been stopped while it was observed; nil for never.
  public internal(set) var stops: Int?

  init(id: WorkerID, started: Instant, readiness: Settings.Readiness, probeTimeout: Duration?) {
    self.probeTimeout = probeTimeout
    self.id = id
    self.started = started
    switch readiness {
    case .reported(let timeout): stage = .starting(until: started + timeout)
    case .alive(let age): stage = .aging(until: started + age)
    }
  }

  /// Whether it accepts.
  public var isReady: Bool {
    switch stage {
    case .ready: true
    case .starting, .aging, .probing: false
    }
  }

  var deadline: Instant? {
    switch stage {
    case .starting(let until), .aging(let until), .probing(let until): until
    case .ready: nil
    }
  }
}

/// A worker that has been told to drain, or what remains of its process group.
public struct Retiree: Hashable, Sendable, Codable {
  /// How far it has come.
  public enum Stage: Hashable, Sendable, Codable {
    /// It has until then to exit.
    case draining(until: Instant)
    /// It has exited; the rest of its process group has until then.
    case remains(until: Instant)
    /// It was sent SIGKILL and has to be reaped.
    case killed
  }

  /// Who it is.
  public let id: WorkerID
  /// When it was told to go.
  public let told: Instant
  /// How far it has come.
  public internal(set) var stage: Stage

  var deadline: Instant? {
    switch stage {
    case .draining(let until), .remains(let until): until
    case .killed: nil
    }
  }

  /// What there is to wait for once it was sent SIGKILL: nothing where the worker itself was reaped before, because the
  /// master need not be the parent of what remained.
  var killed: Retiree? {
    switch stage {
    case .draining, .killed: Retiree(id: id, told: told, stage: .killed)
    case .remains: nil
    }
  }
}

/// A worker's place.
public struct Slot: Hashable, Sendable, Codable {
  /// What holds the place.
  public enum Occupant: Hashable, Sendable, Codable {
    /// Nobody: the slot's candidate was started, and the worker has died since or was being waited for; or the slot has
    /// been added by a reload and waits for its first candidate.
    case vacant
    /// Nobody until then, since workers of this slot keep failing.
    case backingOff(until: Instant)
    /// This worker.
    case worker(Worker)
  }

  /// The slot's worker of the generation that serves.
  public internal(set) var current: Occupant
  /// The slot's worker of the generation that a reload is starting.
  public internal(set) var candidate: Worker?
  /// How many workers in a row have failed here.
  public internal(set) var failures = 0
  /// How often workers have recycled themselves here lately; nil where none has.
  public internal(set) var recycling: Recycling?
  /// Of a slot that goes, the time at which it does even if connections wait for it; nil of one that stays.
  public internal(set) var emptyBy: Instant?

  /// The current worker, if there is one.
  public var worker: Worker? {
    switch current {
    case .worker(let worker): worker
    case .vacant, .backingOff: nil
    }
  }

  var deadline: Instant? {
    let own: Instant? =
      switch current {
      case .vacant: nil
      case .backingOff(let until): until
      case .worker(let worker): worker.deadline
      }
    return earliest(earliest(own, candidate?.deadline), emptyBy)
  }
}

func earliest(_ one: Instant?, _ other: Instant?) -> Instant? {
  guard let one else { return other }
  guard let other else { return one }
  return min(one, other)
}
