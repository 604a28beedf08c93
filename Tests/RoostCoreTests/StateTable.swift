import RoostCore

/// What each event does in each phase, found by asking the supervisor. It stands in docs/state-machine.md.
enum StateTable {
  /// A service of one worker in each phase. The current worker is ready where the phase allows it.
  private static var phases: [(name: String, service: Service, current: WorkerID?, candidate: WorkerID?)] {
    var starting = Service()
    starting.suppose(.startRequested)
    var waiting = Service(startAttempts: nil)
    waiting.suppose(.listenersNotOpened(reason: ""))
    var fallingBack = Service(startAttempts: 1, lastGood: Generation(number: 1))
    fallingBack.suppose(.startRequested, .exit(.id(1, 2), 1))
    var stopping = Service.serving()
    stopping.suppose(.term)
    var stopped = stopping
    stopped.suppose(.exit(.first(0)))
    var probing = Service(probeTimeout: .seconds(5))
    probing.suppose(
      .startRequested, .workerReady(.first(0)), .probeSucceeded(.first(0)), .hup,
      .generationPrepared(Generation(number: 2)), .workerReady(.id(2, 2)))
    var upgrading = Service.serving()
    upgrading.suppose(.upgradeRequested(by: .signal(12)))
    var replacing = Service.serving()
    replacing.suppose(.replacementRequested(slot: 0, by: .signal(1)))
    var emptying = Service.serving()
    emptying.suppose(.hup, .generationPrepared(Generation(number: 2), leavesQueues: true), .workerReady(.id(2, 2)))
    var preparing = Service.serving()
    preparing.suppose(.hup)
    return [
      ("idle", Service(), nil, nil),
      ("starting, listeners not open", waiting, nil, nil),
      ("starting", starting, .first(0), nil),
      ("starting, falling back", fallingBack, nil, nil),
      ("serving", .serving(), .first(0), nil),
      ("serving, successor asked for", replacing, .first(0), .id(2, 1)),
      ("serving, retiree has a queue", emptying, .id(2, 2), nil),
      ("serving, new master is tried", upgrading, .first(0), nil),
      ("reloading, preparing", preparing, .first(0), nil),
      ("reloading, candidate starts", .reloading(), .first(0), .id(2, 2)),
      ("reloading, candidate is probed", probing, .first(0), .id(2, 2)),
      ("stopping", stopping, nil, nil),
      ("stopped", stopped, nil, nil),
    ]
  }

  /// The rows: an event for a phase, or nil where it can't come.
  private static let events: [(name: String, event: @Sendable (Service, WorkerID?, WorkerID?) -> Event?)] = [
    ("start requested", { service, _, _ in hasListeners(service) ? nil : .startRequested }),
    ("listeners not opened", { service, _, _ in hasListeners(service) ? nil : .listenersNotOpened(reason: "") }),
    ("reload requested (HUP)", { _, _, _ in .hup }),
    ("reload requested, replacing", { _, _, _ in .reloadRequested(by: .signal(1), replacing: true) }),
    ("cancel requested", { _, _, _ in .cancelRequested(by: .signal(1)) }),
    ("stop requested (TERM, INT)", { _, _, _ in .term }),
    ("stop at once requested (QUIT)", { _, _, _ in .quit }),
    ("one worker more (TTIN)", { _, _, _ in .scaleRequested(by: 1) }),
    ("one worker fewer (TTOU)", { _, _, _ in .scaleRequested(by: -1) }),
    ("another worker for the slot requested", { _, _, _ in .replacementRequested(slot: 0, by: .signal(1)) }),
    ("upgrade of the master requested (USR2)", { _, _, _ in .upgradeRequested(by: .signal(12)) }),
    ("new master proved", { service, _, _ in service.supervisor.upgrade == nil ? nil : .upgradeProved }),
    ("new master refused", { service, _, _ in service.supervisor.upgrade == nil ? nil : .upgradeFailed(reason: "") }),
    ("generation prepared", { service, _, _ in preparing(service).map { .generationPrepared($0) } }),
    ("generation not prepared", { service, _, _ in preparing(service).map { .generationNotPrepared($0, reason: "") } }),
    ("current worker ready", { _, current, _ in current.map { .workerReady($0) } }),
    ("current worker exits", { _, current, _ in current.map { .exit($0, 1) } }),
    ("current worker ends with status 0", { _, current, _ in current.map { .exit($0, 0) } }),
    ("candidate ready", { _, _, candidate in candidate.map { .workerReady($0) } }),
    ("candidate passes its probe", { service, _, candidate in probed(service, candidate).map { .probeSucceeded($0) } }),
    ("candidate exits", { _, _, candidate in candidate.map { .exit($0, 1) } }),
    ("candidate not started", { _, _, candidate in candidate.map { .workerNotStarted($0, reason: "") } }),
    ("queue empty", { service, _, _ in service.supervisor.retirees.first.map { .queueEmpty($0.id) } }),
    ("retiree exits", { service, _, _ in service.supervisor.retirees.first.map { .exit($0.id, 0) } }),
    ("ready timeout", { service, current, candidate in unready(service, current ?? candidate) ? .timePassed : nil }),
    ("probe timeout", { service, _, candidate in probed(service, candidate) == nil ? nil : .timePassed }),
    ("drain timeout", { service, _, _ in service.supervisor.retirees.isEmpty ? nil : .timePassed }),
  ]

  private static func hasListeners(_ service: Service) -> Bool {
    switch service.supervisor.phase {
    case .idle: return false
    case .starting(let start):
      if case .awaitingListeners = start.stage { return false }
      return true
    case .serving, .reloading, .stopping, .stopped: return true
    }
  }

  private static func preparing(_ service: Service) -> Generation? {
    switch service.supervisor.phase {
    case .reloading(let reload): return reload.isPreparing ? reload.generation : nil
    case .starting(let start):
      guard case .preparing(let generation, _) = start.stage else { return nil }
      return generation
    case .idle, .serving, .stopping, .stopped: return nil
    }
  }

  private static func probed(_ service: Service, _ candidate: WorkerID?) -> WorkerID? {
    candidate.flatMap { service.supervisor.isProbing($0) ? $0 : nil }
  }

  private static func unready(_ service: Service, _ worker: WorkerID?) -> Bool {
    service.supervisor.slots.contains { slot in
      [slot.worker, slot.candidate].contains { $0.map { service.supervisor.isAwaitingReadiness(of: $0.id) } ?? false }
    }
  }

  /// The table in Markdown.
  static var markdown: String {
    var lines = ["| event | " + phases.map(\.name).joined(separator: " | ") + " |"]
    lines.append("|" + String(repeating: "---|", count: phases.count + 1))
    for (name, event) in events {
      let cells = phases.map { _, service, current, candidate in
        event(service, current, candidate).map { cell(service, $0) } ?? ""
      }
      lines.append("| \(name) | " + cells.joined(separator: " | ") + " |")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// What holds for each purpose, in Markdown.
  static var purposes: String {
    var lines = ["| purpose | its predecessor | waits for | probe | observed | takes over | if it fails |"]
    lines.append("|---|---|---|---|---|---|---|")
    for purpose in Purpose.allCases {
      let policy = purpose.policy
      let cells: [String] =
        switch policy.succession {
        case .vacancy(let wait): ["gone, or there was none", words(wait)]
        case .beside(.alone, _): ["serves until the takeover", "nothing"]
        case .beside(.batch, _): ["serves until the takeover", "the batches before its own"]
        }
      let rest: [String] =
        switch policy.succession {
        case .vacancy: ["has the slot at once", "another is started"]
        case .beside(let takeover, let outcome): [words(takeover), words(outcome)]
        }
      let row = [purpose.rawValue] + cells + [policy.isProbed, policy.isObserved].map { $0 ? "yes" : "no" } + rest
      lines.append("| " + row.joined(separator: " | ") + " |")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func words(_ wait: Policy.Wait) -> String {
    switch wait {
    case .nothing: "nothing"
    case .backoff: "the backoff, from the first failure on"
    case .burst: "nothing for the first few, then the backoff"
    case .pause: "nothing for the first few, then a second"
    }
  }

  private static func words(_ takeover: Policy.Takeover) -> String {
    switch takeover {
    case .alone: "alone"
    case .batch: "with its batch"
    }
  }

  private static func words(_ outcome: Policy.Outcome) -> String {
    switch outcome {
    case .reloadFails: "the reload has failed"
    case .predecessorStays: "its predecessor stays"
    }
  }

  private static func cell(_ service: Service, _ event: Event) -> String {
    var service = service
    let before = service.supervisor.phase
    let decision = event == .timePassed ? service.after(.seconds(60)) : service.after(event)
    let orders = decision.effects.map(words)
    let after = name(service.supervisor.phase)
    let next = after == name(before) ? "" : "→ \(after)"
    let latched = decision.notices.contains(where: isLatch) ? "latched" : ""
    let text = [orders.joined(separator: ", "), latched, next].filter { !$0.isEmpty }.joined(separator: " ")
    return text.isEmpty ? "–" : text
  }

  private static func isLatch(_ notice: Notice) -> Bool {
    switch notice {
    case .reloadRequested(_, _, let latch), .scaled(_, _, let latch): latch != nil
    default: false
    }
  }

  private static func words(_ effect: Effect) -> String {
    switch effect {
    case .openListeners: "open listeners"
    case .prepare(_, .configuration): "prepare"
    case .prepare(_, .record): "prepare what is recorded"
    case .record(let generation): "record generation \(generation.number)"
    case .abandonPreparation: "abandon preparation"
    case .runHook(let hook, _): "run \(hook.rawValue)"
    case .killHook(let hook, _): "kill \(hook.rawValue)"
    case .spawn(let id): "start worker of generation \(id.generation.number)"
    case .probe(let id): "probe worker of generation \(id.generation.number)"
    case .drain(let id): "drain worker of generation \(id.generation.number)"
    case .kill(let id): "kill worker of generation \(id.generation.number)"
    case .restoreBacklog: "restore backlog"
    case .closeListeners: "close listeners"
    case .announce(.ready): "`READY=1`"
    case .announce(.reloading): "`RELOADING=1`"
    case .announce(.stopping): "`STOPPING=1`"
    case .announce(.extendTimeout): "`EXTEND_TIMEOUT_USEC=`"
    case .awaitEmptyQueue(let id): "await empty queue of generation \(id.generation.number)"
    case .proveUpgrade: "try new master"
    case .abandonProof: "abandon new master"
    case .replaceMaster: "execute new master"
    case .exit(.stopped, _): "exit 0"
    case .exit(.startFailed, _): "exit 1"
    }
  }

  private static func name(_ phase: Phase) -> String {
    switch phase {
    case .idle: "idle"
    case .starting: "starting"
    case .serving: "serving"
    case .reloading: "reloading"
    case .stopping: "stopping"
    case .stopped: "stopped"
    }
  }
}
