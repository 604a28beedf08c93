import RoostCore

/// What the supervisor orders.
extension Master {
  func perform(_ effect: Effect) {
    switch effect {
    case .openListeners: openFirstListeners()
    case .prepare(let generation, .configuration): preparer.read(generation)
    case .prepare(let generation, .record(let former)): prepare(generation, asRecordedOf: former)
    case .record(let generation): record.proved(generation)
    case .abandonPreparation: preparer.abandon()
    case .runHook(let hook, let generation): hooks.run(hook, generation, releases.known(generation))
    case .killHook(let hook, let generation): hooks.kill(hook, generation)
    case .spawn(let id): spawn(id)
    case .probe(let id): workers.prober.begin(id)
    case .drain(let id): workers.drain(id, at: now)
    case .awaitEmptyQueue(let id): awaitEmptyQueue(of: id)
    case .kill(let id): workers.kill(id)
    case .restoreBacklog: listeners.restoreBacklogs()
    case .closeListeners:
      releases.letGoOfListeners()
      listeners.closeAll()
    case .announce(let announcement): upstream.announce(announcement, supervisor, trouble: trouble)
    // When this is handled: the state is that between two events.
    case .proveUpgrade: loop.atRoundEnd { [unowned self] in proveUpgrade() }
    case .abandonProof:
      upgradeAttempt?.abandon()
      upgradeAttempt = nil
    case .replaceMaster: replaceMasterSoon()
    case .exit(let verdict, let atOnce):
      self.verdict = verdict
      endsAtOnce = atOnce
      loop.exit(0)
    }
  }

  private func spawn(_ id: WorkerID) {
    do {
      try workers.start(id, releases.known(id.generation))
      handle(.workerStarted(id))
    } catch {
      deadlines.wasHeld()
      handle(.workerNotStarted(id, reason: "\(error)"))
    }
  }

  // MARK: Generations

  /// Looks for what a former generation ran.
  private func prepare(_ generation: Generation, asRecordedOf former: Generation) {
    guard let recorded = record.history.configuration(of: former) else {
      let reason = "what generation \(former.number) ran is no longer recorded; 'roost history' shows what is"
      return handle(.generationNotPrepared(generation, reason: reason))
    }
    preparer.look(generation, configuration.running(recorded))
  }

  /// What a generation is to run was found.
  func prepared(_ generation: Generation, _ result: Result<Preparer.Finding, MasterError>) {
    do {
      let (new, places) = try result.get()
      let release = try preparer.resolver.release(new.worker, places, mayHang: mounts.mayHang)
      try listeners.open(new.listeners, for: release)
      let leavesQueues = releases.differ(in: supervisor.livingGenerations, from: release)
      releases[generation] = release
      record.prepared(generation, of: supervisor.origin(of: generation), new, release)
      // So that its number isn't used again, whatever happens to this master.
      record.writeLater()
      handle(.generationPrepared(generation, settings: new.settings, leavesQueues: leavesQueues))
    } catch {
      handle(.generationNotPrepared(generation, reason: "\(error)"))
    }
  }

  /// Shuts the listeners that only retirees have, before these are told to drain.
  func retireListeners() -> [Listener] {
    if supervisor.isStopping { return [] }
    return listeners.retire(except: releases.listeners(of: supervisor.livingGenerations))
  }

  /// Tells the supervisor when no connection waits any more where only this worker can accept.
  func awaitEmptyQueue(of id: WorkerID) {
    guard let process = workers.process(id), process.state == .running, !leftListeners(of: process).isEmpty else {
      return handle(.queueEmpty(id))
    }
    leftQueues.await(process) { [unowned self, unowned process] in leftListeners(of: process) }
  }

  /// The listeners whose queue is left to this worker: those that were removed, and if each slot has its own queue,
  /// those that its successor in the slot wasn't given.
  private func leftListeners(of process: WorkerProcess) -> [Listener] {
    process.release.listeners.map(\.listener).filter { listener in
      if listener.isRetired { return true }
      guard listener.reuseport != nil, supervisor.slots.indices.contains(process.id.slot),
        let successor = supervisor.slots[process.id.slot].worker
      else { return false }
      return !releases.isGiven(successor.id.generation, listener)
    }
  }

  /// Lets go of what is no longer needed: workers that are gone, their releases, and the listeners of these.
  func forgetGone() {
    leftQueues.forget { [supervisor] id in !supervisor.retirees.contains { $0.id == id && $0.isEmptying } }
    workers.forgetGone(supervisor, awaitsExit: awaitsExit)
    workers.forgetTold(supervisor)
    relay.forgetEnded()
    let living = supervisor.livingGenerations.union(workers.processes.map(\.id.generation))
    releases.forget { !living.contains($0) }
    listeners.close(except: releases.listeners)
    listeners.closeSockets(after: max(supervisor.slots.count, (workers.processes.map(\.id.slot).max() ?? -1) + 1))
  }
}
