/// What the workers of a generation run, and how. A reload reads it anew.
package struct WorkerConfiguration: Hashable, Sendable, Codable {
  /// How a worker says that it is ready.
  package enum ReadinessChannel: String, Hashable, Sendable, Codable, CaseIterable {
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
    package var isByMessage: Bool {
      switch self {
      case .automatic, .notify: true
      case .pipe, .accepting, .einhorn, .none: false
      }
    }

    /// Whether the acknowledgement of einhorn's clients counts.
    package var isByAcknowledgement: Bool {
      switch self {
      case .automatic, .einhorn: true
      case .notify, .pipe, .accepting, .none: false
      }
    }
  }

  /// What becomes of what workers write.
  package enum Output: String, Hashable, Sendable, Codable, CaseIterable {
    /// Both streams are the master's own. What a worker wrote last can't be told.
    case direct
    /// stdout is the master's own; stderr is passed on byte by byte, and its tail is kept.
    case passed
    /// Both are passed on in lines, each with slot and generation before it.
    case prefixed
  }

  /// The program and its arguments. Not empty.
  package var command: [String]
  package var argumentTemplates: [ArgumentTemplate] = []
  /// The directory that workers start in, by an absolute path that may lead over symbolic links; nil for that in which
  /// the master was started.
  package var directory: String?
  /// Assignments `NAME=value` that are added to the master's environment.
  package var environment: [String] = []
  /// Variables that are added to it, with values that are filled in for each worker.
  package var variableTemplates: [VariableTemplate] = []
  /// The other supervisors for which the workers may have been written, in the order of their declaration.
  package var compatibility: [Compatibility] = []
  /// Whom the workers run as, or nil for the master's own user.
  package var identity: Identity?
  /// The mode bits that their new files don't get, or nil for the master's own (umask(2)).
  package var umask: UInt32?
  /// Their resource limits, where they aren't the master's own.
  package var limits: [ResourceLimit] = []
  /// Their nice value, or nil for the master's own (nice(2)).
  package var nice: Int?
  package var readinessChannel = ReadinessChannel.automatic
  /// How a worker of a new generation is asked whether it serves well, before it takes over.
  package var probe: Probe?
  package var stopSignal = StopSignal.term
  package var allowsWorkerReload = false
  package var output = Output.passed
  /// Run before the first candidate of a reload, if there is one: a program and its arguments.
  package var beforeReload: [String]?
  /// Run after the last takeover of a reload, if there is one: a program and its arguments.
  package var afterTakeover: [String]?

  private enum CodingKeys: String, CodingKey {
    case command, argumentTemplates, directory, environment, variableTemplates, compatibility, identity, umask, limits,
      nice, probe, stopSignal, output, beforeReload, afterTakeover
    case readinessChannel = "ready"
    case allowsWorkerReload = "allowWorkerReload"
  }

  /// Workers that run this command, and have all else from the master.
  package init(command: [String]) {
    self.command = command
  }
}

/// A user with groups, as numbers: names are looked up before.
package struct Identity: Hashable, Sendable, Codable {
  package var user: UInt32
  package var group: UInt32
  package var supplementaryGroups: [UInt32]

  private enum CodingKeys: String, CodingKey {
    case user, group
    case supplementaryGroups = "groups"
  }

  package init(user: UInt32, group: UInt32, supplementaryGroups: [UInt32]) {
    self.user = user
    self.group = group
    self.supplementaryGroups = supplementaryGroups
  }
}
