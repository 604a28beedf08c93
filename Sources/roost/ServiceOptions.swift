import ArgumentParser
import RoostOptions

/// The options of a service. Each stands in a configuration file under the same name.
struct ServiceOptions: ParsableArguments {
  @Option(
    name: [.customShort("l"), .long],
    help: ArgumentHelp(
      "Listen here: 8080, 127.0.0.1:8080, [::1]:8080, udp:8443, unix:/run/x.sock, or systemd:NAME to adopt a socket from systemd; with options as in 8080,backlog=1024 8080,reuseport=true or 192.0.2.1:8080,freebind=true for an address that comes later. Repeatable.",
      valueName: "[name=]address"))
  var listen: [String] = []

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("How many workers, or auto for one per processor. (default: 1)", valueName: "number|auto"))
  var workers: String?

  @Option(
    help: ArgumentHelp(
      "The directory that workers start in; {directory} in arguments and variables is where it leads, without symbolic links.",
      valueName: "path"))
  var directory: String?

  @Option(help: ArgumentHelp("Set a variable for the workers. Repeatable.", valueName: "name=value"))
  var environment: [String] = []

  @Option(
    help: ArgumentHelp(
      "Read variables for the workers from this file, anew on each reload. Repeatable.", valueName: "path"))
  var environmentFile: [String] = []

  @Option(help: ArgumentHelp("Run the workers as this user.", valueName: "user"))
  var user: String?

  @Option(
    help: ArgumentHelp("Run the workers with this primary group. (default: that of the user)", valueName: "group"))
  var group: String?

  @Option(help: ArgumentHelp("Run the workers with this group too. Repeatable.", valueName: "group"))
  var supplementaryGroup: [String] = []

  @Option(help: ArgumentHelp("The mode bits that the workers' new files don't get.", valueName: "octal"))
  var umask: String?

  @Option(help: ArgumentHelp("The workers' nice value.", valueName: "number"))
  var nice: String?

  @Option(
    help: ArgumentHelp(
      "Limit a resource of each worker, as in open-files=65536 or open-files=1024:65536. Repeatable.",
      valueName: "resource=[soft:]hard"))
  var limit: [String] = []

  @Option(
    help: ArgumentHelp(
      "How a worker's readiness is known: by READY=1 to NOTIFY_SOCKET, by a line to READY_FD, by being seen to accept, by the acknowledgement of einhorn's clients, by being alive; or automatically, by READY=1 of one that sends messages, else by being seen. (default: automatic)",
      valueName: "automatic|notify|pipe|accepting|einhorn|none"))
  var ready: String?

  @Option(
    help: ArgumentHelp(
      "Give the workers what they would get from another supervisor: server-starter or einhorn. Repeatable.",
      valueName: "supervisor"))
  var compatibility: [String] = []

  @Option(help: ArgumentHelp("With --ready none: how long it has to be alive. (default: 1s)", valueName: "duration"))
  var readyAfter: String?

  @Option(help: ArgumentHelp("How long a worker may take to get ready. (default: 60s)", valueName: "duration"))
  var readyTimeout: String?

  @Option(
    help: ArgumentHelp(
      "Ask each worker of a new generation before it takes over, by HTTP as in path=/health, or by a line for the shell as in command=LINE; also status=204 and timeout=2s. Repeatable.",
      valueName: "name=value"))
  var probe: [String] = []

  @Option(
    help: ArgumentHelp(
      "How often each of the first workers is tried. (default: 3 at a terminal, else without end)", valueName: "number")
  )
  var startAttempts: String?

  @Option(
    help: ArgumentHelp(
      "For how long a start may be without success before it is given up. (default: for ever)", valueName: "duration"))
  var startLimit: String?

  @Flag(
    inversion: .prefixedNo,
    help:
      "Start with what served last where the workers that were asked for can't get ready. (default: --fallback, but at a terminal)"
  )
  var fallback: Bool?

  @Option(
    help: ArgumentHelp(
      "How long a generation has to serve without a failing worker to be the last good one. (default: 60s)",
      valueName: "duration"))
  var probation: String?

  @Option(
    help: ArgumentHelp(
      "Whether the last good generation comes back by itself where workers keep failing on probation. (default: manual)",
      valueName: "automatic|manual"))
  var rollback: String?

  @Option(
    help: ArgumentHelp("How many generations that have served are remembered. (default: 5)", valueName: "number"))
  var history: String?

  @Option(
    help: ArgumentHelp(
      "Where it is remembered what has served. (default: STATE_DIRECTORY, else the control directory)",
      valueName: "path"))
  var stateDirectory: String?

  @Option(
    help: ArgumentHelp(
      "How long ready new workers are observed before they take over. (default: 1s)", valueName: "duration"))
  var settle: String?

  @Option(
    help: ArgumentHelp("How long a worker may take to drain before it is killed. (default: 60s)", valueName: "duration")
  )
  var drainTimeout: String?

  @Option(help: ArgumentHelp("How many new workers a reload starts at a time. (default: all)", valueName: "number"))
  var surge: String?

  @Option(help: ArgumentHelp("What asks a worker to drain. (default: TERM)", valueName: "signal"))
  var stopSignal: String?

  @Option(
    help: ArgumentHelp(
      "The wait before the second restart in a row of a worker that fails; doubled each time. (default: 100ms)",
      valueName: "duration"))
  var restartDelay: String?

  @Option(help: ArgumentHelp("The longest such wait. (default: 30s)", valueName: "duration"))
  var restartDelayLimit: String?

  @Option(
    help: ArgumentHelp(
      "How long a worker has to serve for its former failures to be forgotten. (default: 10s)", valueName: "duration"))
  var restartDelayReset: String?

  @Option(
    help: ArgumentHelp(
      "A line for the shell, run before a reload starts workers; the reload fails with it.", valueName: "command"))
  var beforeReload: String?

  @Option(help: ArgumentHelp("A line for the shell, run when a reload has succeeded.", valueName: "command"))
  var afterTakeover: String?

  @Option(help: ArgumentHelp("How long either may take. (default: 60s)", valueName: "duration"))
  var hookTimeout: String?

  @Option(
    help: ArgumentHelp(
      "The length of the listeners' accept queues; net.core.somaxconn bounds it. (default: 4096)", valueName: "number"))
  var backlog: String?

  @Option(help: ArgumentHelp("Keep the master's pid in this file.", valueName: "path"))
  var pidFile: String?

  @Option(
    help: ArgumentHelp(
      "Where the control socket and its lock are. (default: RUNTIME_DIRECTORY, else /run/roost/NAME or XDG_RUNTIME_DIR/roost/NAME)",
      valueName: "path"))
  var controlDirectory: String?

  @Option(help: ArgumentHelp("A group whose members may operate the service too.", valueName: "group"))
  var controlGroup: String?

  @Option(
    help: ArgumentHelp(
      "Serve metrics over HTTP at /metrics of this address: 127.0.0.1:9100, [::1]:9100 or unix:/run/x.sock.",
      valueName: "address"))
  var metrics: String?

  @Option(
    help: ArgumentHelp(
      "The service's name. (default: that of the configuration file, or of the command's)", valueName: "name"))
  var name: String?

  // With an inversion: what a file switches on, the command line must be able to switch off.
  @Flag(inversion: .prefixedNo, help: "Let workers ask for a reload, by X_ROOST_RELOAD=1 to NOTIFY_SOCKET.")
  var allowWorkerReload: Bool?

  @Flag(inversion: .prefixedNo, help: "Put slot and generation before each line that a worker writes.")
  var logPrefix: Bool?

  @Flag(
    inversion: .prefixedNo,
    help:
      "Let workers write to the master's stderr themselves; what one wrote last before it failed can't be told then.")
  var directStderr: Bool?

  /// What was given, in the form that a file's options have too.
  var entries: [OptionEntry] {
    lists.compactMap { $1.isEmpty ? nil : Self.entry($0, $1, as: "--\($0)") }
      + texts.compactMap { name, text in
        text.map { OptionEntry(name, at: place(name), Located(.text($0), at: place(name))) }
      }
      + flags.compactMap { name, isOn in
        isOn.map { isOn in
          let place = place(isOn ? name : "no-\(name)")
          return OptionEntry(name, at: place, Located(.boolean(isOn), at: place))
        }
      }
  }

  /// Whether what the options stand for may change while they stay as they are.
  var dependsOnFiles: Bool {
    !environmentFile.isEmpty || user != nil || group != nil || !supplementaryGroup.isEmpty || workers == "auto"
  }

  static func entry(_ name: String, _ texts: [String], as option: String) -> OptionEntry {
    let place = Place.commandLine(option)
    return OptionEntry(name, at: place, Located(.array(texts.map { Located(.text($0), at: place) }), at: place))
  }

  private func place(_ name: String) -> Place { .commandLine("--\(name)") }

  private var lists: [(String, [String])] {
    [
      ("listen", listen),
      ("environment", environment),
      ("environment-file", environmentFile),
      ("supplementary-group", supplementaryGroup),
      ("limit", limit),
      ("compatibility", compatibility),
      ("probe", probe),
    ]
  }

  private var texts: [(String, String?)] {
    [
      ("workers", workers),
      ("directory", directory),
      ("user", user),
      ("group", group),
      ("umask", umask),
      ("nice", nice),
      ("ready", ready),
      ("ready-after", readyAfter),
      ("ready-timeout", readyTimeout),
      ("start-attempts", startAttempts),
      ("start-limit", startLimit),
      ("probation", probation),
      ("rollback", rollback),
      ("history", history),
      ("state-directory", stateDirectory),
      ("settle", settle),
      ("drain-timeout", drainTimeout),
      ("surge", surge),
      ("stop-signal", stopSignal),
      ("restart-delay", restartDelay),
      ("restart-delay-limit", restartDelayLimit),
      ("restart-delay-reset", restartDelayReset),
      ("before-reload", beforeReload),
      ("after-takeover", afterTakeover),
      ("hook-timeout", hookTimeout),
      ("backlog", backlog),
      ("pid-file", pidFile),
      ("control-directory", controlDirectory),
      ("control-group", controlGroup),
      ("metrics", metrics),
      ("name", name),
    ]
  }

  private var flags: [(String, Bool?)] {
    [
      ("fallback", fallback),
      ("allow-worker-reload", allowWorkerReload),
      ("log-prefix", logPrefix),
      ("direct-stderr", directStderr),
    ]
  }
}
