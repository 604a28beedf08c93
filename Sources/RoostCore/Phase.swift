/// What the service is doing as a whole.
public enum Phase: Hashable, Sendable {
  /// Nothing was asked for yet.
  case idle
  /// The first generation is starting.
  case starting(Start)
  /// Nothing is pending.
  case serving
  /// A reload is running.
  case reloading(Reload)
  /// Every worker has been told to go.
  case stopping(Verdict)
  /// Every worker is reaped.
  case stopped
}

/// The start of the first generation.
public struct Start: Hashable, Sendable {
  /// When it began.
  public let began: Instant
  /// Whether a reload was asked for since.
  public internal(set) var latched = false
}

/// A running reload.
public struct Reload: Hashable, Sendable {
  /// How far it has come.
  public enum Stage: Hashable, Sendable {
    /// The generation is being prepared.
    case preparing
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
  public internal(set) var stage = Stage.preparing
  /// How many slots, from slot 0 up, have been taken over.
  public internal(set) var moved = 0
  /// Whether another reload was asked for since.
  public internal(set) var latched = false

  var deadline: Instant? {
    switch stage {
    case .preparing, .starting: nil
    case .settling(_, let until): until
    }
  }
}
