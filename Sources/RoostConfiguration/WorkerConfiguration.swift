/// What the workers of a generation run, and how. A reload reads it anew.
public struct WorkerConfiguration: Hashable, Sendable, Codable {
  /// How a worker says that it is ready.
  public enum ReadinessChannel: String, Hashable, Sendable, Codable, CaseIterable {
    /// By `READY=1` if it sends messages at all, and by being seen to accept if it doesn't.
    case automatic
    /// `READY=1` to `NOTIFY_SOCKET` (sd_notify(3)).
    case notify
    /// A line to the descriptor in `READY_FD`.
    case pipe
    /// Not by itself: the master sees in the kernel that it accepts on every listener.
    case accepting
    /// By the acknowledgement of einhorn's clients.
    case einhorn
    /// It doesn't: being alive for a while is enough.
    case none

    /// Whether `READY=1` counts.
    public var isByMessage: Bool {
      switch self {
      case .automatic, .notify: true
      case .pipe, .accepting, .einhorn, .none: false
      }
    }

    /// Whether the acknowledgement of einhorn's clients counts.
    public var isByAcknowledgement: Bool {
      switch self {
      case .automatic, .einhorn: true
      case .notify, .pipe, .accepting, .none: false
      }
    }
  }

  /// What becomes of what workers write.
  public enum Output: String, Hashable, Sendable, Codable, CaseIterable {
    /// Both streams are the master's own. What a worker wrote last can't be told.
    case direct
    /// stdout is the master's own; stderr is passed on byte by byte, and its tail is kept.
    case passed
    /// Both are passed on in lines, each with slot and generation before it.
    case prefixed
  }

  /// The program and its arguments. Not empty.
  public var command: [String]
  /// The arguments that are filled in for each worker.
  public var argumentTemplates: [ArgumentTemplate]
  /// The directory that workers start in, by an absolute path that may lead over symbolic links; nil for that in which
  /// the master was started.
  public var directory: String?
  /// Assignments `NAME=value` that are added to the master's environment.
  public var environment: [String]
  /// Variables that are added to it, with values that are filled in for each worker.
  public var variableTemplates: [VariableTemplate]
  /// The other supervisors for which the workers may have been written, in the order of their declaration.
  public var compatibility: [Compatibility]
  /// Whom the workers run as, or nil for the master's own user.
  public var identity: Identity?
  /// The mode bits that their new files don't get, or nil for the master's own (umask(2)).
  public var umask: UInt32?
  /// Their resource limits, where they aren't the master's own.
  public var limits: [ResourceLimit]
  /// Their nice value, or nil for the master's own (nice(2)).
  public var nice: Int?
  /// How a worker says that it is ready.
  public var readinessChannel: ReadinessChannel
  /// How a worker of a new generation is asked whether it serves well, before it takes over.
  public var probe: Probe?
  /// What asks a worker to drain.
  public var stopSignal: StopSignal
  /// Whether a worker may ask for a reload.
  public var allowsWorkerReload: Bool
  /// What becomes of what workers write.
  public var output: Output
  /// Run before the first candidate of a reload, if there is one: a program and its arguments.
  public var beforeReload: [String]?
  /// Run after the last takeover of a reload, if there is one: a program and its arguments.
  public var afterTakeover: [String]?

  private enum CodingKeys: String, CodingKey {
    case command, argumentTemplates, directory, environment, variableTemplates, compatibility, identity, umask, limits,
      nice,
      probe, stopSignal, output, beforeReload, afterTakeover
    case readinessChannel = "ready"
    case allowsWorkerReload = "allowWorkerReload"
  }

  /// Workers that run this command, and have all else from the master.
  public init(command: [String]) {
    self.command = command
    environment = []
    argumentTemplates = []
    variableTemplates = []
    compatibility = []
    limits = []
    readinessChannel = .automatic
    stopSignal = .term
    allowsWorkerReload = false
    output = .passed
  }
}

/// A user with groups, as numbers: names are looked up before.
public struct Identity: Hashable, Sendable, Codable {
  /// The user id.
  public var user: UInt32
  /// The primary group's id.
  public var group: UInt32
  /// The ids of the supplementary groups.
  public var supplementaryGroups: [UInt32]

  private enum CodingKeys: String, CodingKey {
    case user, group
    case supplementaryGroups = "groups"
  }

  /// An identity of these ids.
  public init(user: UInt32, group: UInt32, supplementaryGroups: [UInt32]) {
    self.user = user
    self.group = group
    self.supplementaryGroups = supplementaryGroups
  }
}
