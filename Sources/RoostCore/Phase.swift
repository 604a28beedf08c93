/// What the service is doing as a whole.
public enum Phase: Hashable, Sendable, Codable {
  /// Nothing was asked for yet.
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

/// The start of the first generation.
public struct Start: Hashable, Sendable, Codable {
  /// When it began.
  public let began: Instant
  /// Whether a reload was asked for since.
  public internal(set) var latched = false
}

/// The stop of the service.
public struct Stop: Hashable, Sendable, Codable {
  /// How the master ends when every worker is reaped.
  public let verdict: Verdict
  /// Whether nothing is waited for any more: what is left is killed.
  public internal(set) var isAtOnce = false

  init(_ verdict: Verdict) {
    self.verdict = verdict
  }
}

/// A command of the operator's that runs.
public struct RunningHook: Hashable, Sendable, Codable {
  /// Which it is.
  public let hook: Hook
  /// The generation of the reload that runs it.
  public let generation: Generation
  /// When it began.
  public let began: Instant
  /// When it is killed.
  public internal(set) var deadline: Instant
}

/// A running reload.
public struct Reload: Hashable, Sendable, Codable {
  /// How far it has come.
  public enum Stage: Hashable, Sendable, Codable {
    /// The generation is being prepared, and has until then.
    case preparing(until: Instant)
    /// The operator's command runs that has to succeed before candidates are started.
    case awaitingHook
    /// The candidates of these slots were started and are not all ready.
    case starting(batch: Range<Int>)
    /// The candidates of these slots are all ready, and take over then.
    case settling(batch: Range<Int>, until: Instant)
  }

  /// The generation that it starts.
  public let generation: Generation
  /// When it began.
  public let began: Instant
  /// How far it has come.
  public internal(set) var stage: Stage
  /// What the operator wants from the takeover of this generation on.
  public internal(set) var settings: Settings
  /// How many workers were wanted before this reload's settings asked for another number.
  public internal(set) var workersBefore: Int?
  /// How many slots there were then.
  public internal(set) var slotsBefore: Int?
  /// How many slots, from slot 0 up, have been taken over.
  public internal(set) var moved = 0
  /// Whether another reload was asked for since.
  public internal(set) var latched = false

  /// Whether the generation is still being prepared.
  public var isPreparing: Bool {
    switch stage {
    case .preparing: true
    case .awaitingHook, .starting, .settling: false
    }
  }

  var deadline: Instant? {
    switch stage {
    case .awaitingHook, .starting: nil
    case .preparing(let until), .settling(_, let until): until
    }
  }
}
