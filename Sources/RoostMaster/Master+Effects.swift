import RoostCore

extension Master {
  func perform(_ effect: Effect) {
    switch effect {
    case .prepare(let generation): prepare(generation)
    case .abandonPreparation: abandonPreparation()
    case .runHook(let hook, let generation): run(hook, generation)
    case .killHook(let hook, let generation): kill(hook, generation)
    case .spawn(let id): spawn(id)
    case .probe(let id): prober.begin(id)
    case .drain(let id): drain(id)
    case .kill(let id): process(id)?.kill()
    case .restoreBacklog: for listener in listeners { listener.restoreBacklog() }
    case .closeListeners: closeListeners()
    case .announce(let announcement): upstream.announce(announcement, supervisor)
    case .report(let notice): remember(notice)
    case .exit(let verdict):
      self.verdict = verdict
      loop.exit(0)
    }
  }

  /// A worker whose command couldn't be executed has no process.
  func process(_ id: WorkerID) -> WorkerProcess? {
    processes.first { $0.id == id }
  }

  private func spawn(_ id: WorkerID) {
    guard let release = releases[id.generation] else { preconditionFailure("a generation that wasn't prepared") }
    do {
      let einhornPath = try einhornPath(for: release.configuration)
      let probe = try Prober.listener(release, like: release.listeners.map(\.configuration))
      let process = try spawner.spawn(
        id, release: release,
        listeners: release.listeners + [probe].compactMap(\.self).map(PassedListener.init), einhornPath: einhornPath)
      // Its slot may have got sockets of its own.
      for passed in release.listeners { fdStore.keep(passed.listener) }
      if let probe { prober.add(id, release, probe) }
      processes.append(process)
      watch(process)
      acceptance.await(process, release.listeners)
      handle(.workerStarted(id))
    } catch {
      handle(.workerNotStarted(id, reason: "\(error)"))
    }
  }

  /// What the status says until the next reload.
  private func remember(_ notice: Notice) {
    count(notice)
    switch notice {
    case .reloadBegan:
      reloadWatch.begin(listeners)
      upstream.lastFailure = nil
    case .tookOver(let generation, _): takeOptions(of: generation)
    case .reloadSucceeded(let generation, _): reloadWatch.end(generation, listeners)
    case .reloadFailed(let generation, _, _, _, _, _):
      reloadWatch.end(generation, listeners)
      upstream.lastFailure = words.reloadFailure(notice)
    case .workerLost(let id, _, _): restarts[id.slot, default: 0] += 1
    default: break
    }
  }

  /// Puts into the log what the operator should know, and tells the clients of the control socket.
  func report(_ effect: Effect) {
    guard case .report(let notice) = effect else { return }
    // The news that a worker couldn't be started may still be waiting when it is told to drain with the others.
    if case .drainBegan(let id, _) = notice, process(id) == nil { return }
    let event = words.event(of: notice)
    log.write(event.record)
    for listener in listeners { listener.sampleQueue() }
    tellClients(notice, event)
  }

  var words: NoticeText {
    NoticeText(
      stopSignal: { [unowned self] in process($0)?.release.configuration.stopSignal ?? configuration.worker.stopSignal
      },
      pid: { [unowned self] in process($0)?.pid }, evidence: reloadWatch.lastEvidence,
      lacks: { [unowned self] in acceptance.lacks($0) },
      probeReason: { [unowned self] in prober.reason($0) })
  }
}
