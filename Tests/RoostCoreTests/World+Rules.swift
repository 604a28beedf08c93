import RoostCore

extension World {
  /// What holds after every event.
  mutating func checkRules(_ event: Event) {
    checkEveryProcessIsKnownOnce()
    checkEverythingAwaitedHasADeadline()
    switch supervisor.phase {
    case .serving:
      require(saidReady && !saidReloading, "RELOADING=1 is answered when the reload has ended")
      require(
        supervisor.slots.allSatisfy { $0.candidate?.purpose != .reload }, "the candidates of a reload go with it")
      require(supervisor.slots.allSatisfy { $0.current != .added }, "no slot is forgotten")
      require(supervisor.slots.allSatisfy { $0.current != .vacant || $0.candidate != nil }, "no slot is forgotten")
      let going = supervisor.slots.drop { $0.emptyBy == nil }
      require(going.allSatisfy { $0.emptyBy != nil }, "the last slots go")
      require(going.startIndex == supervisor.desiredWorkers, "there are as many slots that stay as wanted")
    case .reloading(let reload):
      require(saidReloading == (reload.start == nil), "a reload is announced, unless systemd still waits for the start")
      require(saidReady == (reload.start == nil), "a start isn't over before a generation serves")
      require(supervisor.slots.allSatisfy { $0.emptyBy == nil }, "no slot goes during a reload")
      require(reload.isPreparing == (preparing == reload.generation), "preparation is awaited")
    case .stopping, .stopped:
      require(!saidReloading, "RELOADING=1 is answered by STOPPING=1")
      require(supervisor.slots.isEmpty, "nobody serves after a stop")
    case .starting(let start):
      require(!saidReady && !saidReloading, "a start isn't over before a generation serves")
      require(supervisor.slots.allSatisfy { $0.candidate == nil }, "candidates belong to a reload")
      require(!start.isLatchedInVain, "a reload doesn't wait for a start that is in trouble")
    case .idle:
      break
    }
    if verdict == .startFailed {
      require(
        supervisor.settings.startAttempts != nil || supervisor.settings.startLimit != nil, "a start never gives up")
    }
    require(
      (supervisor.condition == .down) == !supervisor.slots.contains(where: \.isServed), "down is when nobody serves")
    require((supervisor.phase == .stopped) == isOver, "stopped is when the master ends")
    require(supervisor.slots.allSatisfy(isConsistent), "an unready candidate never takes over")
  }

  /// A slot that loses its worker, or that waits, is left to a candidate only if there is one.
  mutating func checkNoSlotIsGivenUp(_ before: Supervisor) {
    for (was, slot) in zip(before.slots, supervisor.slots) where was.current != .vacant && slot.current == .vacant {
      require(slot.candidate != nil, "a slot is left empty only for a candidate that was started")
    }
  }

  /// A current worker of a generation that serves was ready when it took over, or was started as current.
  private func isConsistent(_ slot: Slot) -> Bool {
    guard let worker = slot.worker else { return true }
    if worker.isReady, processes[worker.id]?.isReady != true, !isAged { return false }
    if worker.isReady, worker.probeTimeout != nil, processes[worker.id]?.probedAt == nil { return false }
    return worker.id.generation <= supervisor.serving
  }

  /// Whether workers get ready by age instead of by word.
  var isAged: Bool {
    switch supervisor.settings.readiness {
    case .alive: true
    case .reported: false
    }
  }

  private mutating func checkEveryProcessIsKnownOnce() {
    let serving = supervisor.slots.flatMap { [$0.worker?.id, $0.candidate?.id] }.compactMap(\.self)
    let known = serving + supervisor.retirees.map(\.id)
    let awaited = supervisor.retirees.filter { if case .emptying = $0.stage { true } else { false } }.map(\.id)
    require(Set(awaited) == Set(emptying), "who isn't told yet is waited for")
    require(Set(known).count == known.count, "a worker has one role")
    require(Set(known) == Set(processes.keys).union(spawning), "every process is known, and nothing else")
  }

  private mutating func checkEverythingAwaitedHasADeadline() {
    let isAwaited =
      supervisor.slots.contains { slot in
        switch slot.current {
        case .waiting: true
        case .worker(let worker): !worker.isReady || slot.candidate.map { !$0.isReady } ?? false
        case .added, .vacant: slot.candidate.map { !$0.isReady } ?? false
        }
      } || supervisor.retirees.contains { $0.stage != .killed }
      || supervisor.slots.contains { $0.emptyBy != nil } || preparing != nil || !hooks.isEmpty
      || upgrade == .proveUpgrade
    require(!isAwaited || supervisor.nextDeadline != nil, "a deadline is armed whenever something is awaited")
  }

  /// Lets everything go well from here on: whoever starts gets ready, whoever drains exits. The service must come to
  /// rest with every slot served.
  mutating func calmDown() {
    for _ in 0..<1000 {
      if isOver || violation != nil { return }
      if let next = nextKindEvent() {
        tell(next)
      } else {
        require(supervisor.phase == .serving, "a service comes to rest by serving")
        require(supervisor.slots.allSatisfy { $0.worker?.isReady == true }, "in the end every slot is served")
        require(supervisor.retirees.isEmpty, "in the end every retiree is reaped")
        return
      }
    }
    require(false, "a service comes to rest")
  }

  private func nextKindEvent() -> Event? {
    if let id = spawning.first { return .workerStarted(id) }
    if isOpening { return .startRequested }
    if let preparing { return .generationPrepared(preparing) }
    if let id = probing.first { return .probeSucceeded(id) }
    if let id = emptying.first { return .queueEmpty(id) }
    if upgrade == .proveUpgrade { return .upgradeProved }
    if upgrade == .replaceMaster { return .upgraded(from: "1") }
    if let running = hooks.first { return .hookEnded(running.hook, running.generation, failure: nil) }
    for (id, process) in processes.sorted(by: { $0.key < $1.key }) {
      if process.isRemains { return .workerRemainsGone(id) }
      if process.drainedAt != nil { return .workerExited(id, .exited(status: 0), remains: false) }
      if process.isStopped { return .workerContinued(id) }
      if !process.isReady { return .workerReady(id) }
    }
    if let going = supervisor.slots.firstIndex(where: { $0.emptyBy != nil }) { return .queuesEmpty(from: going) }
    return supervisor.nextDeadline == nil ? nil : .timePassed
  }

  /// Asks for a stop. The master must end as soon as the workers have.
  mutating func stop() {
    if isOver { return }
    for id in spawning { tell(.workerStarted(id)) }
    if isOpening { tell(.startRequested) }
    for id in spawning { tell(.workerStarted(id)) }
    tell(.term)
    for id in processes.keys.sorted() {
      guard let process = processes[id] else { continue }
      tell(process.isRemains ? .workerRemainsGone(id) : .workerExited(id, .exited(status: 0), remains: false))
    }
    require(isOver, "after a stop the master ends with its last worker")
  }
}

extension Start {
  /// Whether a reload waits although nothing is under way that it would have to wait for.
  fileprivate var isLatchedInVain: Bool {
    switch stage {
    case .preparing: false
    case .awaitingListeners: latched != nil
    case .startingWorkers: latched != nil && failures > 0
    }
  }
}
