import RoostCore

/// Everything that the master has to know, validated.
public struct Configuration: Hashable, Sendable, Codable {
  /// The name of the service.
  public var name: String
  /// What is listened on, in the order of the workers' descriptors.
  public var listeners: [ListenerConfiguration]
  /// An absolute path.
  public var pidFile: String?
  /// Where the service is operated, or nil if there is no place for a control socket.
  public var control: ControlConfiguration?
  /// Where it is recorded what has served, or nil if nowhere.
  public var history: HistoryConfiguration?
  /// Where metrics are served over HTTP, or nil if nowhere.
  public var metrics: Address?
  /// What the workers of a generation run, and how.
  public var worker: WorkerConfiguration
  /// How the workers are supervised.
  public var settings: Settings

  /// A configuration with the given values.
  public init(
    name: String, listeners: [ListenerConfiguration], pidFile: String?, control: ControlConfiguration?,
    history: HistoryConfiguration? = nil, metrics: Address? = nil, worker: WorkerConfiguration, settings: Settings
  ) {
    self.name = name
    self.listeners = listeners
    self.pidFile = pidFile
    self.control = control
    self.history = history
    self.metrics = metrics
    self.worker = worker
    self.settings = settings
  }
}

/// The control socket.
public struct ControlConfiguration: Hashable, Sendable, Codable {
  /// The directory of the socket and its lock: an absolute path.
  public var directory: String
  /// A group whose members may operate the service too.
  public var group: UInt32?

  /// A control socket in this directory.
  public init(directory: String, group: UInt32? = nil) {
    self.directory = directory
    self.group = group
  }
}

/// The record of the generations that have served.
public struct HistoryConfiguration: Hashable, Sendable, Codable {
  /// How many generations it keeps if nobody has chosen.
  public static let defaultLength = 5

  /// The directory of the record: an absolute path.
  public var directory: String
  /// How many generations that have served it keeps.
  public var length: Int

  /// A record in this directory.
  public init(directory: String, length: Int = defaultLength) {
    self.directory = directory
    self.length = length
  }
}
