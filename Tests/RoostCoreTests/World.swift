import RoostCore

/// A supervisor among processes that may do anything that real ones can. What the supervisor orders is carried out
/// here, and `violation` keeps the first broken rule.
struct World: Hashable {
  struct Running: Hashable {
    let hook: Hook
    let generation: Generation
  }

  struct Process: Hashable {
    /// When it said that it is ready.
    var readyAt: Instant?
    /// When it passed its probe.
    var probedAt: Instant?
    var drainedAt: Instant?
    var isKilled = false
    /// Stopped by a signal.
    var isStopped = false
    /// Reaped, but its group is alive.
    var isRemains = false

    var isReady: Bool { readyAt != nil }
  }

  /// Whether operators do everything that they may: everywhere it would cost more than it tells.
  let isSteered: Bool
  var supervisor: Supervisor
  var now = Instant(sinceOrigin: .seconds(1000))
  var processes: [WorkerID: Process] = [:]
  /// Ordered, and not answered yet. The shell has carried out all orders of an event before it answers the first, so
  /// that one of these may have been told to drain by then.
  var spawning: [WorkerID] = []
  var drainedAtBirth: [WorkerID: Instant] = [:]
  /// Asked by their probe, and not answered yet. An answer may come too late.
  var probing: [WorkerID] = []
  /// Replaced, and not told to drain before their queue is empty.
  var emptying: [WorkerID] = []
  /// Slots whose worker has recycled itself.
  var recycled: Set<Int> = []
  /// What the new binary of the master does: it proves itself, or takes over.
  var upgrade: Effect?
  var preparing: Generation?
  /// Whether the listeners of the first generation are being opened.
  var isOpening = true
  /// When a worker of a generation that served failed last, or a generation began to serve.
  var disturbed: Instant?
  /// The operator's commands that run.
  var hooks: [Running] = []
  var lastWorker = 0
  var saidReloading = false
  var saidReady = false
  var listenersAreClosed = false
  var verdict: Verdict?
  var violation: String?

  /// A service that has just been asked to start. With a last good release that isn't the first generation's, it can fall
  /// back to that.
  init(
    _ settings: Settings, hasLastGood: Bool = false, areListenersOpen: Bool = true, isSteered: Bool = true
  ) {
    self.isSteered = isSteered
    var past = Supervisor.Past()
    if hasLastGood {
      past.first = Generation(number: 2)
      past.lastGood = Generation(number: 1)
      past.fallback = past.lastGood
    }
    supervisor = Supervisor(settings: settings, past: past)
    tell(areListenersOpen ? .startRequested : .listenersNotOpened(reason: "no"))
  }

  var isOver: Bool { verdict != nil }

  /// Everything that may happen next.
  var choices: [Event] {
    if isOver { return [] }
    // The shell starts workers while it carries out orders: nothing comes between.
    if let id = spawning.first { return [.workerStarted(id), .workerNotStarted(id, reason: "no")] }
    if isOpening { return [.startRequested, .listenersNotOpened(reason: "no")] }
    var choices: [Event] = [.hup, .term, .quit, .scaleRequested(by: 1), .scaleRequested(by: -1)]
    if isSteered { choices += steering }
    if let preparing {
      choices += [.generationPrepared(preparing), .generationNotPrepared(preparing, reason: "no")]
      choices += changedSettings.map { .generationPrepared(preparing, settings: $0, leavesQueues: isSteered) }
    }
    choices += emptying.map { .queueEmpty($0) }
    for (id, process) in processes.sorted(by: { $0.key < $1.key }) {
      if process.isRemains {
        choices.append(.workerRemainsGone(id))
        continue
      }
      if !process.isReady { choices.append(.workerReady(id)) }
      choices += [
        .workerExited(id, .exited(status: 1), remains: false), .workerExited(id, .exited(status: 1), remains: true),
      ]
      if supervisor.slots.contains(where: { $0.candidate?.id == id }) {
        choices.append(process.isStopped ? .workerContinued(id) : .workerStopped(id))
      }
      // It has recycled itself.
      if process.isReady, process.drainedAt == nil {
        choices.append(.workerExited(id, .exited(status: 0), remains: false))
      }
    }
    choices += probing.map { .probeSucceeded($0) }
    for running in hooks {
      choices += [
        .hookEnded(running.hook, running.generation, failure: nil),
        .hookEnded(running.hook, running.generation, failure: "no"),
      ]
    }
    // Also where some of these slots stay, or none goes: the news may be late.
    if supervisor.settings.queuePerSlot, supervisor.slots.count > 1 {
      choices += [.queuesEmpty(from: 1), .queuesEmpty(from: supervisor.slots.count - 1)]
    }
    if supervisor.nextDeadline != nil { choices += [.timePassed] }
    return choices
  }

  private var steering: [Event] {
    var events: [Event] = []
    switch upgrade {
    case nil: events.append(.upgradeRequested(by: .signal(1)))
    case .proveUpgrade: events += [.upgradeProved, .upgradeFailed(reason: "no")]
    default: events += [.upgraded(from: "1"), .upgradeFailed(reason: "no")]
    }
    switch supervisor.phase {
    case .reloading(let reload):
      events.append(.cancelRequested(by: .signal(1)))
      if reload.latched == nil { events.append(.reloadRequested(by: .signal(1), replacing: true)) }
    case .idle, .starting, .serving, .stopping, .stopped:
      events += supervisor.slots.indices.map { .replacementRequested(slot: $0, by: .signal(1)) }
      if let good = supervisor.lastGood, supervisor.servingOrigin == .configuration {
        events.append(.reloadRequested(by: .signal(1), from: .record(good)))
      }
    }
    return events
  }

  /// What a configuration that was read anew may ask for.
  private var changedSettings: [Settings] {
    var more = supervisor.settings
    more.workers = min(more.workers + 1, 3)
    var fewer = supervisor.settings
    fewer.workers = 1
    var hooked = supervisor.settings
    (hooked.beforeReload, hooked.afterTakeover) = (true, true)
    var probed = supervisor.settings
    probed.probeTimeout = probed.probeTimeout == nil ? .seconds(5) : nil
    return [more, fewer, hooked, probed].filter { $0 != supervisor.settings }
  }

  /// Lets one of the choices happen.
  mutating func tell(_ event: Event) {
    let before = supervisor
    if event == .timePassed, let deadline = supervisor.nextDeadline { now = max(now, deadline) }
    happen(event)
    let decision = supervisor.handle(event, at: now)
    for effect in decision.effects { carryOut(effect, event, before) }
    for notice in decision.notices { hear(notice, before) }
    if supervisor.settings.probation == .zero {
      disturbed = nil
    } else if supervisor.probation?.generation != before.probation?.generation {
      disturbed = now
    }
    checkRules(event)
    if isRunning { checkNoSlotIsGivenUp(before) }
  }

  private mutating func happen(_ event: Event) {
    switch event {
    case .workerStarted(let id):
      spawning.removeFirst()
      processes[id] = Process(drainedAt: drainedAtBirth.removeValue(forKey: id))
    case .workerNotStarted(let id, _):
      spawning.removeFirst()
      drainedAtBirth[id] = nil
      emptying.removeAll { $0 == id }
    case .startRequested, .listenersNotOpened:
      isOpening = false
    case .generationPrepared, .generationNotPrepared:
      preparing = nil
    case .workerReady(let id):
      processes[id]?.readyAt = now
    case .probeSucceeded(let id):
      probing.removeAll { $0 == id }
      processes[id]?.probedAt = now
    case .workerExited(let id, let cause, let remains):
      if supervisor.slots.contains(where: { $0.worker?.id == id }), cause != .exited(status: 0) { disturbed = now }
      emptying.removeAll { $0 == id }
      if remains {
        processes[id]?.isRemains = true
        processes[id]?.drainedAt = nil
      } else {
        processes[id] = nil
      }
    case .workerRemainsGone(let id):
      processes[id] = nil
    case .workerStopped(let id):
      processes[id]?.isStopped = true
    case .workerContinued(let id):
      processes[id]?.isStopped = false
      // Whoever was stopped hasn't served meanwhile.
      if processes[id]?.readyAt != nil { processes[id]?.readyAt = now }
      if processes[id]?.probedAt != nil { processes[id]?.probedAt = now }
    case .hookEnded(let hook, let generation, _):
      hooks.removeAll { $0 == Running(hook: hook, generation: generation) }
    case .queueEmpty(let id):
      emptying.removeAll { $0 == id }
    case .upgraded, .upgradeFailed:
      upgrade = nil
    case .workersRequested, .queuesEmpty, .replacementRequested, .upgradeRequested, .upgradeProved, .reloadRequested,
      .cancelRequested, .stopRequested, .stopAtOnceRequested,
      .scaleRequested,
      .workerAskedForTime,
      .timePassed, .stalled:
      break
    }
  }

  private mutating func carryOut(_ effect: Effect, _ event: Event, _ before: Supervisor) {
    switch effect {
    case .openListeners:
      require(supervisor.slots.isEmpty && !isOpening, "listeners are opened once")
      isOpening = true
    case .record(let generation):
      require(
        // What is added in the same moment comes after it.
        supervisor.slots.allSatisfy { $0.isServed || $0.worker?.started == now },
        "only a generation that serves in every slot is the last good one")
      require(
        supervisor.serving == generation && disturbed.map { $0 + supervisor.settings.probation <= now } ?? true,
        "who has failed on probation hasn't proved itself")
    case .prepare(let generation, let origin):
      require(preparing == nil, "one generation is prepared at a time")
      require(origin == .configuration || supervisor.lastGood != nil, "only what was recorded comes back")
      preparing = generation
    case .abandonPreparation(let generation):
      require(preparing == generation, "only what is being prepared is abandoned")
      preparing = nil
    case .runHook(let hook, let generation):
      require(!listenersAreClosed, "no hook is started after a stop")
      hooks.append(Running(hook: hook, generation: generation))
    case .killHook(let hook, let generation):
      require(hooks.contains(Running(hook: hook, generation: generation)), "only a running hook is killed")
      hooks.removeAll { $0 == Running(hook: hook, generation: generation) }
    case .spawn(let id):
      require(
        !hooks.contains(Running(hook: .beforeReload, generation: id.generation)), "candidates wait for before-reload")
      require(id.number == lastWorker + 1, "a worker's number is never used again")
      require(!listenersAreClosed, "no worker is started after the listeners were closed")
      lastWorker = id.number
      spawning.append(id)
    case .probe(let id):
      require(isAged || processes[id]?.isReady == true, "only a worker that accepts is probed")
      require(supervisor.isProbing(id) && !probing.contains(id), "a probe is awaited, once")
      probing.append(id)
    case .awaitEmptyQueue(let id):
      require(processes[id] != nil || spawning.contains(id), "no queue of a reaped worker is looked at")
      if isRunning { checkMayRetire(id, event, before) }
      emptying.append(id)
    case .drain(let id): drain(id, event, before)
    case .kill(let id): kill(id, event)
    case .closeListeners: listenersAreClosed = true
    case .announce(let announcement): announce(announcement)
    case .proveUpgrade:
      require(upgrade == nil, "one upgrade is tried at a time")
      upgrade = .proveUpgrade
    case .abandonProof:
      require(upgrade == .proveUpgrade, "only a proof is abandoned")
      upgrade = nil
    case .replaceMaster:
      require(upgrade == .proveUpgrade, "only a binary that has proved itself takes over")
      upgrade = .replaceMaster
    case .exit(let verdict, _):
      require(hooks.isEmpty && preparing == nil, "nothing of a reload outlives a stop")
      require(processes.isEmpty && spawning.isEmpty, "every worker is reaped before the master ends")
      require(upgrade != .proveUpgrade, "no proof outlives the master")
      require(self.verdict == nil, "the master ends once")
      self.verdict = verdict
    case .restoreBacklog: break
    }
  }

  private mutating func hear(_ notice: Notice, _ before: Supervisor) {
    switch notice {
    case .workerRecycled(let id, _, _): recycled.insert(id.slot)
    case .reloadSucceeded(let generation, _):
      require(
        supervisor.slots.prefix(before.slots.count).allSatisfy { slot in
          // Whose worker has served already, and has recycled itself since, is ready again in a moment.
          slot.worker.map { $0.id.generation == generation && ($0.isReady || recycled.contains($0.id.slot)) } ?? false
        }, "a reload has succeeded when its generation serves in every slot")
    default: break
    }
  }

  private mutating func drain(_ id: WorkerID, _ event: Event, _ before: Supervisor) {
    require(processes[id] != nil || spawning.contains(id), "no signal to a reaped worker")
    require(processes[id]?.drainedAt == nil, "the drain signal comes once")
    if processes[id] == nil { drainedAtBirth[id] = now }
    processes[id]?.drainedAt = now
    if emptying.contains(id) {
      let stage = before.retirees.first { $0.id == id }?.stage
      let isOver = if case .emptying(let until) = stage { until <= now } else { false }
      require(!isRunning || isOver, "a queue that isn't empty is waited for")
      emptying.removeAll { $0 == id }
    } else if case .queueEmpty(id) = event {
    } else if isRunning {
      checkMayRetire(id, event, before)
    }
  }

  /// A worker that serves goes only for a reason.
  private mutating func checkMayRetire(_ id: WorkerID, _ event: Event, _ before: Supervisor) {
    let wasServing = before.slots.contains { $0.worker?.id == id && $0.worker?.isReady == true }
    guard wasServing, processes[id]?.isRemains == false else { return }
    require(
      supervisor.slots.count <= id.slot || isReplaced(id) || hasFallenBack(event, before),
      "no drain without a takeover by a settled successor")
    require(
      supervisor.slots.count > id.slot || mayGo(id.slot, event, before),
      "a slot goes only when its queue is empty, or its time is over")
  }

  /// Whether another worker, of no earlier generation, has the slot that was ready and observed.
  private func isReplaced(_ id: WorkerID) -> Bool {
    guard let successor = supervisor.slots[id.slot].worker else { return false }
    guard let process = processes[successor.id], !process.isStopped,
      successor.probeTimeout == nil || process.probedAt != nil
    else {
      return false
    }
    let isSettled = (process.probedAt ?? process.readyAt).map { $0 + supervisor.settings.settle <= now } ?? false
    return successor.id > id && successor.id.generation >= id.generation && (isAged || isSettled)
  }

  /// Whether a start that was given up goes on with the last good generation.
  private func hasFallenBack(_ event: Event, _ before: Supervisor) -> Bool {
    guard case .generationPrepared = event, case .starting = before.phase else { return false }
    return supervisor.divergence == .fellBack
  }

  /// Whether a slot that is gone by now was allowed to.
  private func mayGo(_ slot: Int, _ event: Event, _ before: Supervisor) -> Bool {
    guard supervisor.settings.queuePerSlot else { return true }
    guard slot >= supervisor.desiredWorkers, let emptyBy = before.slots[slot].emptyBy else { return false }
    switch event {
    case .queuesEmpty(let first): return first <= slot
    default: return emptyBy <= now
    }
  }

  private mutating func kill(_ id: WorkerID, _ event: Event) {
    guard let process = processes[id] else { return require(spawning.contains(id), "no signal to a reaped worker") }
    switch event {
    case .stopRequested, .stopAtOnceRequested: break
    case .workerExited(id, _, remains: true):
      require(process.isKilled, "what remains drains, unless its worker was killed")
    default:
      let told = process.drainedAt.map { $0 + supervisor.settings.drainTimeout }
      require(told.map { $0 <= now } ?? false, "no kill before the drain timeout is over")
    }
    if process.isRemains { processes[id] = nil } else { processes[id]?.isKilled = true }
  }

  private mutating func announce(_ announcement: Announcement) {
    require(verdict == nil, "nothing is announced after the end")
    switch announcement {
    case .ready:
      require(supervisor.slots.contains(where: \.isServed) || saidReady, "who has never served isn't ready")
      saidReady = true
      saidReloading = false
    case .reloading:
      require(saidReady && !saidReloading, "RELOADING=1 comes after READY=1, once")
      saidReloading = true
    case .stopping: saidReloading = false
    case .extendTimeout: require(supervisor.phase != .serving, "systemd waits for nothing while the service serves")
    }
  }

  mutating func require(_ condition: Bool, _ rule: String) {
    if !condition, violation == nil { violation = rule }
  }

  /// Neither stopping nor stopped.
  var isRunning: Bool {
    switch supervisor.phase {
    case .idle, .starting, .serving, .reloading: true
    case .stopping, .stopped: false
    }
  }
}
