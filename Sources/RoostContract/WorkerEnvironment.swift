/// The names in a worker's environment: the contract between the master and its workers.
package enum WorkerEnvironment {
  /// The first descriptor of the inherited listeners (`SD_LISTEN_FDS_START` in sd_listen_fds(3)).
  package static let firstListenerDescriptor: Int32 = 3

  /// The number of inherited listeners, from `firstListenerDescriptor` up (sd_listen_fds(3)).
  package static let listenerCount = "LISTEN_FDS"
  /// The pid of the process that the listeners are meant for: the worker's own (sd_listen_fds(3)).
  package static let listenerProcess = "LISTEN_PID"
  /// The names of the listeners, separated by colons, in the order of their descriptors (sd_listen_fds(3)).
  package static let listenerNames = "LISTEN_FDNAMES"
  /// The address of the datagram socket for `READY=1` and its like (sd_notify(3)).
  package static let notifySocket = "NOTIFY_SOCKET"
  /// The number of the descriptor to which a line is written when the worker is ready (as in s6).
  package static let readyDescriptor = "READY_FD"
  /// How often the worker has to say that it is alive, at least, in microseconds (sd_watchdog_enabled(3)).
  package static let watchdogMicroseconds = "WATCHDOG_USEC"
  /// The pid of the process that has to say so; without it, whoever has the variable above (sd_watchdog_enabled(3)).
  package static let watchdogProcess = "WATCHDOG_PID"

  /// The listeners and their descriptors, as in `8080=3;/run/web.sock=4` (Server::Starter).
  package static let serverStarterPort = "SERVER_STARTER_PORT"
  /// The worker's generation, in decimal (Server::Starter).
  package static let serverStarterGeneration = "SERVER_STARTER_GENERATION"
  /// The number of listeners (einhorn).
  package static let einhornCount = "EINHORN_FD_COUNT"
  /// Begins the names of the variables with the listeners' descriptors, which go on with 0, 1, … (einhorn).
  package static let einhornDescriptorPrefix = "EINHORN_FD_"
  /// The worker's parent (einhorn).
  package static let einhornMaster = "EINHORN_MASTER_PID"
  /// The descriptor of a stream socket that takes the acknowledgement (einhorn -g).
  package static let einhornSocketDescriptor = "EINHORN_SOCK_FD"
  /// The path of a stream socket that takes the acknowledgement (einhorn).
  package static let einhornSocketPath = "EINHORN_SOCK_PATH"
  /// The worker's slot, in decimal, from 0 (einhorn).
  package static let einhornIndex = "EINHORN_CHILD_INDEX"

  /// The worker's generation, in decimal.
  package static let generation = "ROOST_GENERATION"
  /// The worker's slot, in decimal, from 0.
  package static let slot = "ROOST_SLOT"
  /// Which of the operator's commands this is, in the environment of such a command.
  package static let hook = "ROOST_HOOK"
  /// Where the worker can be asked, in the environment of the command of a probe.
  package static let probeAddress = "ROOST_PROBE_ADDRESS"
  /// The name of the service.
  package static let service = "ROOST_SERVICE"

  /// Whether a variable of the master's environment must not reach a worker, because it addresses the master or would
  /// let a worker speak to the master's own supervisor (sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3),
  /// systemd.exec(5), sd_pid_notify_with_fds(3)).
  package static func isPrivateToMaster(_ name: String) -> Bool {
    switch name {
    case notifySocket, readyDescriptor, "FDSTORE", "SYSTEMD_EXEC_PID": true
    default:
      name.hasPrefix("LISTEN_") || name.hasPrefix("WATCHDOG_") || name.hasPrefix("MAINPID") || name.hasPrefix("ROOST_")
        || name.hasPrefix("SERVER_STARTER_") || name.hasPrefix("EINHORN_")
    }
  }
}
