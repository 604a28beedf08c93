import RoostCore

/// Everything that the master has to know, validated.
public struct Configuration: Hashable, Sendable {
  /// How a worker says that it is ready.
  public enum ReadinessChannel: String, Hashable, Sendable, CaseIterable {
    /// `READY=1` to `NOTIFY_SOCKET` (sd_notify(3)).
    case notify
    /// A line to the descriptor in `READY_FD`.
    case pipe
    /// It doesn't: being alive for a while is enough.
    case none
  }

  /// The name of the service.
  public var name: String
  /// The worker's program and its arguments. Not empty.
  public var command: [String]
  /// What is listened on, in the order of the workers' descriptors.
  public var listeners: [ListenerConfiguration]
  /// The length of the listeners' accept queues, at least 1.
  public var backlog: Int32
  /// How a worker says that it is ready.
  public var readinessChannel: ReadinessChannel
  /// What asks a worker to drain.
  public var stopSignal: StopSignal
  /// An absolute path.
  public var pidFile: String?
  /// Whether a worker may ask for a reload.
  public var allowsWorkerReload: Bool
  /// How the workers are supervised.
  public var settings: Settings

  /// A configuration with the given values.
  public init(
    name: String, command: [String], listeners: [ListenerConfiguration], backlog: Int32,
    readinessChannel: ReadinessChannel, stopSignal: StopSignal, pidFile: String?, allowsWorkerReload: Bool,
    settings: Settings
  ) {
    self.name = name
    self.command = command
    self.listeners = listeners
    self.backlog = backlog
    self.readinessChannel = readinessChannel
    self.stopSignal = stopSignal
    self.pidFile = pidFile
    self.allowsWorkerReload = allowsWorkerReload
    self.settings = settings
  }
}
