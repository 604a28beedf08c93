import RoostCore

extension Configuration {
  /// Every option there is, under the headings of the documentation, in the order in which to read of them.
  package static let sections = [
    (title: "What runs", options: whatRuns),
    (title: "What it listens on", options: whatItListensOn),
    (title: "How many, and how they are replaced", options: howWorkersAreReplaced),
    (title: "When workers fail", options: whenWorkersFail),
    (title: "When a start fails, and what comes back", options: whenAStartFails),
    (title: "The service", options: service),
  ]

  package static let options = sections.flatMap(\.options)

  /// What holds if nothing is said.
  package static let standard = Configuration(
    name: "service", listeners: [], pidFile: nil, control: nil, worker: WorkerConfiguration(command: [""]),
    settings: .standard)

  private static let whatRuns: [OptionDefinition<Configuration>] = [
    .init(
      "command", .custom(.list("command", "command")), .generation,
      meaning:
        "the program and its arguments, which may have [placeholders](protocol.md#placeholders) such as `{fd:http}`. Required"
    ),
    .init(
      "directory", .path(\.worker.directory), .generation,
      standard: "where the master was started; `/` under systemd",
      meaning: "where workers start. Symbolic links are [resolved anew](#paths-and-releases) for each generation",
      help:
        "The directory that workers start in; {directory} in arguments and variables is where it leads, without symbolic links."
    ),
    .init(
      "environment", .custom(.list("name=value", "table of strings")), .generation,
      meaning: "variables, added to the master's own. Their values may have placeholders too",
      help: "Set a variable for the workers."),
    .init(
      "environment-file", .custom(.list("path", "list of paths")), .generation,
      meaning: "files with variables, see [below](#environment)",
      help: "Read variables for the workers from this file, anew on each reload."),
    .init(
      "compatibility", .custom(.list("supervisor", "list")), .generation, standard: "none",
      meaning:
        "what else workers get, as from another supervisor: `\"server-starter\"`, `\"einhorn\"` ([protocol.md](protocol.md#servers-that-were-written-for-others))",
      help: "Give the workers what they would get from another supervisor: server-starter or einhorn."),
    .init(
      "user", .custom(.single("user", "user")), .generation, standard: "the master's user",
      meaning:
        "the user that workers run as; this needs a master that runs as root. It sets `HOME`, `USER`, `LOGNAME` and `SHELL` too",
      help: "Run the workers as this user; this needs a master that runs as root."),
    .init(
      "group", .custom(.single("group", "group")), .generation, standard: "that of `user`",
      meaning: "the primary group of the workers"),
    .init(
      "supplementary-group", .custom(.list("group", "list of groups")), .generation,
      meaning: "more groups, besides those of which `user` is a member",
      help: "Run the workers with this group too."),
    .init(
      "umask", .mode(\.worker.umask, example: "0027"), .generation, standard: "the master's",
      meaning: "the mode bits that the workers' new files don't get"),
    .init(
      "nice", .integer(\.worker.nice, Limits.nice), .generation, standard: "the master's",
      meaning: "the nice value of the workers"),
    .init(
      "limit", .custom(.list("resource=[soft:]hard", "table")), .generation, standard: "the master's",
      meaning: "resource limits of each worker process, see [below](#limits)",
      help: "Limit a resource of each worker, as in open-files=65536 or open-files=1024:65536."),
    .init(
      "log-prefix", .custom(.flag), .generation, standard: "`false`",
      meaning: "put slot and generation before each line that a worker writes"),
    .init(
      "direct-stderr", .custom(.flag), .generation, standard: "`false`",
      meaning:
        "let workers write to the master's stderr themselves, which works even after the master has been killed. The last lines of a worker that fails can't be shown then",
      help:
        "Let workers write to the master's stderr themselves; the last lines of a worker that fails can't be shown then."
    ),
  ]

  private static let whatItListensOn: [OptionDefinition<Configuration>] = [
    .init(
      "listen", .custom(.list("[name=]address", "list")), .generation, abbreviation: "l", standard: "none",
      meaning: "the listeners, in the order of the workers' descriptors, see [below](#listeners)",
      help:
        "Listen here: 8080, 127.0.0.1:8080, [::1]:8080, udp:8443, unix:/run/x.sock, or systemd:NAME to adopt a socket from systemd; with options as in 8080,backlog=1024 8080,reuseport=true or 192.0.2.1:8080,freebind=true for an address that comes later."
    ),
    .init(
      "backlog", .custom(.single("number", Limits.backlog.text)), .takeover,
      standard: "`\(ListenerConfiguration.defaultBacklog)`",
      meaning:
        "the length of the accept queues of listeners that don't set their own. The kernel's `net.core.somaxconn` bounds it"
    ),
  ]

  private static let howWorkersAreReplaced: [OptionDefinition<Configuration>] = [
    .init(
      "workers", .custom(.single("number|auto", "\(Limits.workers.text), or `\"auto\"`")), .reload, abbreviation: "n",
      standard: "`1`",
      meaning:
        "how many; `\"auto\"` is one for each processor that the master may use (its affinity, and the CPU quota of its control group, rounded up)",
      help: "How many workers, or auto for one per processor."),
    .init(
      "surge", .integer(\.settings.surge, Limits.surge), .reload, standard: "all",
      meaning: "how many candidates a reload starts at a time. Fewer than `workers` makes it roll, batch by batch",
      help: "How many new workers a reload starts at a time."),
    .init(
      "ready", .choice(\.worker.readinessChannel), .generation,
      meaning: "how a worker's readiness is known ([protocol.md](protocol.md#readiness))",
      help:
        "How a worker's readiness is known: by READY=1 to NOTIFY_SOCKET, by a line to READY_FD, by being seen to accept, by the acknowledgement of einhorn's clients, by being alive; or automatically, by READY=1 if it sends messages, else by being seen to accept."
    ),
    .init(
      "ready-timeout", .duration(\.settings.readyTimeout, .above("0s gives no worker time to get ready")), .generation,
      meaning: "how long a worker may take to get ready. Not with `ready = \"none\"`",
      help: "How long a worker may take to get ready."),
    .init(
      "ready-after", .duration(\.settings.readyAfter), .generation,
      standard: "`\"\(Settings.defaultReadyAfter.text)\"`",
      meaning: "with `ready = \"none\"`: how long a worker has to be alive",
      help: "With --ready none: how long a worker has to be alive."),
    .init(
      "probe", .custom(.list("name=value", "table")), .generation, standard: "none",
      meaning: "ask each candidate before it takes over, see [below](#probe)",
      help:
        "Ask each worker of a new generation before it takes over, by HTTP as in path=/health, or by a line for the shell as in command=LINE; also status=204 and timeout=2s."
    ),
    .init(
      "settle", .duration(\.settings.settle), .reload,
      meaning: "how long ready candidates are observed before they take over",
      help: "How long ready new workers are observed before they take over."),
    .init(
      "drain-timeout", .duration(\.settings.drainTimeout), .takeover,
      note: ", and so for the workers that retire at it",
      meaning:
        "how long a retiree may take from the stop signal to its exit; then its process group is killed. A machine that stood still gives [more time](operating.md#what-to-do-when)",
      help: "How long a worker may take to drain before it is killed."),
    .init(
      "stop-signal", .custom(.single("signal", StopSignal.named.map { "`\($0.name)`" }.joined(separator: ", "))),
      .generation, standard: "`\"TERM\"`", meaning: "the signal that asks a worker to drain"),
    .init(
      "before-reload", .hook(\.worker.beforeReload), .reload,
      meaning: "a hook, run before candidates are started. If it fails, the reload fails",
      help: "A line for the shell, run before a reload starts workers; if it fails, the reload fails."),
    .init(
      "after-takeover", .hook(\.worker.afterTakeover), .reload,
      meaning: "a hook, run when a reload has succeeded. Nothing waits for it",
      help: "A line for the shell, run when a reload has succeeded."),
    .init(
      "hook-timeout", .duration(\.settings.hookTimeout, .atLeast(Limits.shortestHookTimeout)), .reload,
      meaning: "how long either may take, at least `\"\(Limits.shortestHookTimeout.text)\"`. Only with a hook",
      help: "How long either may take."),
    .init(
      "allow-worker-reload", .boolean(\.worker.allowsWorkerReload), .generation,
      meaning: "let workers ask for a reload ([protocol.md](protocol.md#messages))",
      help: "Let workers ask for a reload, by X_ROOST_RELOAD=1 to NOTIFY_SOCKET."),
  ]

  private static let whenWorkersFail: [OptionDefinition<Configuration>] = [
    .init(
      "restart-burst", .integer(\.settings.restartBurst, Limits.restartBurst), .takeover,
      meaning: "how many workers that have served are replaced at once in each slot, within `restart-window`"),
    .init(
      "restart-window", .duration(\.settings.restartWindow, .above("0s would count no worker")), .takeover,
      meaning:
        "the time over which those are counted; it begins with the first of them, and the next one begins with the shortest wait again"
    ),
    .init(
      "restart-delay",
      .duration(\.settings.backoffFirst, .above("0s would let a failing worker be restarted without end")), .takeover,
      meaning:
        "the wait before the second restart in a row of a worker that fails without having served, or more often than `restart-burst`. It is doubled each time. At a start, the first restart waits this long too",
      help:
        "The wait before the second restart in a row of a worker that fails without having served, or too often; doubled each time."
    ),
    .init(
      "restart-delay-limit", .duration(\.settings.backoffLongest), .takeover, meaning: "the longest such wait"),
    .init(
      "restart-delay-reset", .duration(\.settings.backoffForgivenAfter), .takeover,
      meaning: "how long a worker has to serve for its former failures to be forgotten"),
  ]

  private static let whenAStartFails: [OptionDefinition<Configuration>] = [
    .init(
      "start-attempts", .integer(\.settings.startAttempts, Limits.startAttempts), .start,
      standard: "none: it is tried until it works; `3` [at a terminal](#at-a-terminal)",
      meaning: "how often each worker of a start is tried before the service is given up, with status 1"),
    .init(
      "start-limit", .duration(\.settings.startLimit, .above("0s gives no worker time to get ready")), .start,
      standard: "none",
      meaning: "for how long a start may be without success before the service is given up, with status 1"),
    .init(
      "fallback", .boolean(\.settings.fallsBack), .start, standard: "`true`; `false` [at a terminal](#at-a-terminal)",
      meaning:
        "whether what served before comes back if what is configured can't be used, can't get ready at a start, or was refused",
      help: "Start with what served last if the workers that were asked for can't get ready."),
    .init(
      "probation", .duration(\.settings.probation), .takeover,
      meaning:
        "how long a generation has to serve without a failing worker before it is the last good one, to which a start falls back. `\"0s\"`: as soon as it serves",
      help: "How long a generation has to serve without a failing worker to be the last good one."),
    .init(
      "rollback",
      .choice(
        .init(
          get: { $0.settings.rollsBack ? "automatic" : "manual" }, set: { $0.settings.rollsBack = $1 == "automatic" }),
        ["automatic", "manual"]),
      .takeover,
      meaning:
        "`\"automatic\"`: when a worker of a generation on probation fails for the third time in a row in its slot, the last good one comes back by itself. `\"manual\"`: the log only says so",
      help: "Whether the last good generation comes back by itself if workers keep failing on probation."),
    .init(
      "history", .custom(.single("number", Limits.history.text)), .takeover,
      standard: "`\(HistoryConfiguration.defaultLength)`",
      meaning: "how many generations that have served are remembered, and as many of those that haven't",
      help: "How many generations that have served are remembered."),
    .init(
      "state-directory", .custom(.single("path", "path")), .restart,
      standard: "`$STATE_DIRECTORY`, else the control directory",
      meaning: "where they are recorded, in the file `history.json`. Its parent has to exist",
      help: "Where it is recorded what has served."),
  ]

  private static let service: [OptionDefinition<Configuration>] = [
    .init(
      "name", .custom(.single("name", "string")), .restart,
      standard: "the file's name without `.toml`, else that of the command",
      meaning: "the service's name: 1 to 64 letters, digits, `.`, `_`, `-`, `@`, not beginning with `.`",
      help: "The service's name."),
    .init(
      "pid-file", .path(\.pidFile), .restart, standard: "none", meaning: "keep the master's pid in this file"),
    .init(
      "control-directory", .custom(.single("path", "path")), .restart,
      standard: "`$RUNTIME_DIRECTORY`, else `/run/roost/NAME` for root, `$XDG_RUNTIME_DIR/roost/NAME` for others",
      meaning: "where the control socket and its lock are ([control.md](control.md))",
      help: "Where the control socket and its lock are."),
    .init(
      "control-group", .custom(.single("group", "group")), .restart, standard: "none",
      meaning: "a group whose members may operate the service, besides root and the master's user",
      help: "A group whose members may operate the service too."),
    .init(
      "metrics", .custom(.single("address", "address")), .restart, standard: "none",
      meaning: "serve metrics over HTTP at this address, TCP or unix ([metrics.md](metrics.md))",
      help: "Serve metrics over HTTP at /metrics of this address: 127.0.0.1:9100, [::1]:9100 or unix:/run/x.sock."),
  ]
}

extension ListenerConfiguration {
  package static let options: [OptionDefinition<ListenerConfiguration>] = [
    .init(
      "address", .custom(.single("address", "address")), .generation, scope: "all",
      meaning: "where it listens. In a table only; in a string it is the first part"),
    .init(
      "name", .custom(.single("name", "string")), .generation, scope: "all", standard: "made of the address",
      meaning: "what workers see in `LISTEN_FDNAMES`. In a table only; in a string it is before the `=`"),
    .init(
      "backlog", .integer(\.backlog, Limits.backlog), .takeover, scope: "all but UDP",
      standard: "`backlog` of the service", meaning: "the length of the accept queue"),
    .init(
      "nonblocking", .boolean(\.isNonblocking), .restart, scope: "TCP, UDP, unix",
      meaning: "`true` sets `O_NONBLOCK`, which all workers share"),
    .init(
      "ipv6-only", .boolean(\.isIPv6Only), .restart, scope: "TCP and UDP on IPv6",
      standard: "`false` for a bare port, `true` for an address",
      meaning: "`true` takes no IPv4 on an IPv6 address; `false` takes both"),
    .init(
      "freebind", .boolean(\.isFreebind), .opening, scope: "TCP and UDP on an address",
      meaning:
        "`true` takes an address that the machine doesn't have, such as one that comes later ([sockets.md](sockets.md#an-address-that-comes-later-freebind))"
    ),
    .init(
      "reuseport", .custom(.single("true|false|cpu", "`true`, `false`, `\"cpu\"`")), .restart, scope: "TCP, UDP",
      standard: "`false`",
      meaning:
        "`true` gives each slot a socket of its own, `\"cpu\"` also a processor ([sockets.md](sockets.md#a-socket-for-each-slot-reuseport))"
    ),
    .init(
      "mode", .mode(\.mode, example: "0660"), .takeover, scope: "unix",
      standard: "what the master's umask leaves; never that everybody can connect",
      meaning: "the permissions of the socket's file"),
    .init(
      "user", .custom(.single("user", "user")), .takeover, scope: "unix", standard: "the master's",
      meaning: "the owner of the socket's file"),
    .init(
      "group", .custom(.single("group", "group")), .takeover, scope: "unix", standard: "the master's",
      meaning: "the group of the socket's file"),
  ]

  /// What holds if nothing is said of the listener.
  package static let standard = ListenerConfiguration(name: "listener", address: .tcp(.any, port: 0))
}

extension Probe {
  /// How long a worker may take to pass, if nothing is said.
  package static let defaultTimeout: Duration = .seconds(5)
  /// The status that an answer has to have, if nothing is said.
  package static let defaultStatus = 200

  package static let options: [OptionDefinition<Probe>] = [
    .init("path", .custom(.single("path", "text")), meaning: "ask by `GET` of this path"),
    .init(
      "status", .custom(.single("number", Limits.probeStatus.text)), standard: "`\(defaultStatus)`",
      meaning: "the status that the answer has to have. Only with `path`"),
    .init(
      "command", .custom(.single("command", "command, or a line for the shell")),
      meaning: "or: a command that has to exit with 0; it finds the address in `ROOST_PROBE_ADDRESS`"),
    .init(
      "timeout", .custom(.single("duration", "duration")), standard: "`\"\(defaultTimeout.text)\"`",
      meaning: "how long a worker may take to pass"),
  ]
}
