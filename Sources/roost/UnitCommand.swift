import ArgumentParser
import Foundation
import RoostConfiguration
import RoostControl
import RoostCore
import RoostMaster
import RoostOptions

struct UnitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unit",
    abstract: "Print a systemd unit for a configuration file.",
    discussion: """
      As in: roost unit /etc/roost/web.toml > /etc/systemd/system/web.service

      The timeouts and the capabilities are those that the configuration needs. Settings that only newer versions of \
      systemd know are there for these.
      """)

  @Argument(help: ArgumentHelp("The configuration file, or the name of one in /etc/roost.", valueName: "file|name"))
  var file: String

  @Option(
    help: ArgumentHelp(
      "The version of systemd that the unit is for. (default: the one that is installed)", valueName: "version"))
  var systemd: Int?

  func run() throws {
    let directory = try WorkingDirectory.logical()
    let path = ConfigurationPath.path(of: file)
    let absolute = path.hasPrefix("/") ? path : "\(directory)/\(path)"
    try Failure.telling(ExitStatus.masterFailed) {
      let configuration = try Options(file: absolute, commandLine: [], directory: directory).configuration()
      let unit = Unit(
        configuration: configuration, file: absolute, program: try MasterProgram.ownPath(),
        systemd: systemd ?? SystemdVersion.installed ?? 0)
      Terminal.write(unit.text)
    }
  }
}

/// A unit that fits a configuration. systemd/roost@.service fits all.
struct Unit {
  let configuration: Configuration
  let file: String
  let program: String
  let systemd: Int

  var text: String {
    """
    # Made by 'roost unit \(file)'. Generate it again when timeouts, users or listeners change.
    [Unit]
    Description=\(configuration.name), under Roost
    Documentation=file:///usr/share/doc/roost/operating.md
    After=network.target
    # systemd restarts the master however often it dies.
    StartLimitIntervalSec=0

    [Service]
    Type=notify
    NotifyAccess=main
    ExecStart=\(quoted(program)) run --config \(quoted(file))
    ExecReload=\(quoted(program)) reload --quiet \(place)\(configuration.name)
    RuntimeDirectory=roost/\(configuration.name)
    # When a second start of this service has failed, the directory of the first stays.
    RuntimeDirectoryPreserve=yes
    # What has served is recorded here, and can come back after a boot, too.
    StateDirectory=roost/\(configuration.name)
    SyslogIdentifier=\(configuration.name)
    Restart=on-failure
    RestartSec=100ms
    \(restartSteps)RestartPreventExitStatus=64 78
    # If the master dies, the listeners wait here for the next one, with the clients that connect.
    FileDescriptorStoreMax=512
    \(preservedStore)
    # The master alone is told to stop, and drains its workers. Whatever is left when it has exited is killed.
    KillMode=mixed
    TimeoutStartSec=\(startSeconds)
    TimeoutStopSec=\(stopSeconds)
    WatchdogSec=3min
    # Each worker gets a cgroup of its own, from which nothing escapes.
    Delegate=pids
    # A worker that runs out of memory is replaced; it is no reason to stop the others.
    OOMPolicy=continue
    # For workers, unless 'limit' says otherwise; the master raises its own to the second number.
    LimitNOFILE=65536:524288

    # Workers inherit all of this.
    NoNewPrivileges=yes
    CapabilityBoundingSet=\(capabilities)
    ProtectSystem=full
    ProtectKernelTunables=yes
    ProtectKernelModules=yes
    ProtectKernelLogs=yes
    ProtectClock=yes
    ProtectHostname=yes
    PrivateDevices=yes
    RestrictRealtime=yes
    RestrictSUIDSGID=yes
    LockPersonality=yes
    SystemCallArchitectures=native
    SystemCallFilter=@system-service @pkey
    SystemCallFilter=seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
    # Any other call fails, instead of killing the process.
    SystemCallErrorNumber=EPERM
    RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

    [Install]
    WantedBy=multi-user.target

    """
  }

  /// As in systemd/roost@.service.d.
  private var restartSteps: String {
    guard systemd >= SystemdVersion.withRestartSteps else { return "" }
    return "# The pauses grow if it dies again and again.\nRestartSteps=5\nRestartMaxDelaySec=5s\n"
  }

  private var preservedStore: String {
    guard systemd >= SystemdVersion.withPreservedStore else { return "" }
    return "# Across a stop, too. 'systemctl clean --what=fdstore' frees the ports.\nFileDescriptorStorePreserve=yes\n"
  }

  /// Where the control socket is, if not where systemd tells the command to look.
  private var place: String {
    guard let directory = configuration.control?.directory,
      directory != ControlPlace.forMaster(name: configuration.name)
    else { return "" }
    return "--control-directory \(quoted(directory)) "
  }

  /// As systemd reads words (systemd.syntax(7)).
  private func quoted(_ path: String) -> String {
    let escaped = path.replacingOccurrences(of: "%", with: "%%").replacingOccurrences(of: "$", with: "$$")
    guard escaped.contains(where: { " \t\"'\\".contains($0) }) else { return escaped }
    return "\"" + escaped.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
      + "\""
  }

  /// A start and each batch of a reload: every attempt to its end. The master asks for more time if it needs it.
  private var startSeconds: Int {
    let settings = configuration.settings
    let ready = settings.readyTimeout ?? settings.readyAfter ?? .zero
    return (ready + (settings.probeTimeout ?? .zero) + settings.settle + settings.hookTimeout).wholeSeconds + 30
  }

  private var stopSeconds: Int { configuration.settings.drainTimeout.wholeSeconds + 30 }

  /// Whether the master looks at what its workers do, which needs a capability if these run as another user.
  private var isWatched: Bool {
    switch configuration.worker.readinessChannel {
    case .accepting: true
    case .automatic: !configuration.listeners.isEmpty
    case .notify, .pipe, .einhorn, .none: false
    }
  }

  /// What a root master needs for what the configuration asks, and nothing more.
  private var capabilities: String {
    // Without `user` too: then a worker may change its user itself, and the master has to signal it all the same.
    var names = ["CAP_SETUID", "CAP_SETGID", "CAP_KILL"]
    if configuration.worker.identity != nil, isWatched { names.append("CAP_SYS_PTRACE") }
    let addresses = configuration.listeners.map(\.address) + [configuration.metrics].compactMap(\.self)
    if addresses.contains(where: { (1..<1024).contains($0.port ?? 0) }) {
      names.append("CAP_NET_BIND_SERVICE")
    }
    if configuration.worker.nice ?? 0 < 0 { names.append("CAP_SYS_NICE") }
    if !configuration.worker.limits.isEmpty { names.append("CAP_SYS_RESOURCE") }
    let owned = configuration.listeners.contains { $0.user != nil || $0.group != nil }
    if owned || configuration.worker.identity != nil || configuration.control?.group != nil {
      names.append("CAP_CHOWN")
      names.append("CAP_DAC_OVERRIDE")
    }
    return names.joined(separator: " ")
  }
}
