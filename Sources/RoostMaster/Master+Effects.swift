import RoostCore

extension Master {
  func perform(_ effect: Effect) {
    switch effect {
    case .openListeners: openFirstListeners()
    case .prepare(let generation, .configuration): prepare(generation)
    case .prepare(let generation, .record(let former)): prepare(generation, asRecordedOf: former)
    case .record(let generation): record(generation)
    case .abandonPreparation: abandonPreparation()
    case .runHook(let hook, let generation): run(hook, generation)
    case .killHook(let hook, let generation): kill(hook, generation)
    case .spawn(let id): spawn(id)
    case .probe(let id): prober.begin(id)
    case .drain(let id): drain(id)
    case .kill(let id): kill(id)
    case .restoreBacklog: for listener in listeners { listener.restoreBacklog() }
    case .closeListeners: closeListeners()
    case .announce(let announcement): upstream.announce(announcement, supervisor, trouble: trouble)
    case .report(let notice): remember(notice)
    case .exit(let verdict, let atOnce):
      self.verdict = verdict
      endsAtOnce = atOnce
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
      process.sockets = Self.sockets(release.listeners, id.slot)
      processes.append(process)
      watch(process)
      acceptance.await(process, release.listeners)
      handle(.workerStarted(id))
    } catch {
      stallWatch.wasHeld(until: Clock.now())
      handle(.workerNotStarted(id, reason: "\(error)"))
    }
  }

  /// What the status says until the next reload.
  private func remember(_ notice: Notice) {
    count(notice)
    chronicle(notice)
    switch notice {
    case .reloadRequested(_, _, latched: .some): renewFiles()
    case .reloadBegan:
      // Workers are on their way first, where nothing has to be read.
      areFilesDue = true
      loop.atRoundEnd { [unowned self] in renewDueFiles() }
      reloadWatch.begin(listeners)
      upstream.lastFailure = nil
    case .tookOver(let generation, _): takeOptions(of: generation)
    case .reloadSucceeded(let generation, _):
      startTrouble = nil
      dropUntakenAtLast()
      reloadWatch.end(generation, listeners)
      lookForOutsiders()
    case .reloadFailed(let generation, _, _, _, _, _):
      reloadWatch.end(generation, listeners)
      upstream.lastFailure = words.reloadFailure(notice)
      lookForOutsiders()
      for listener in listeners where listener.hasStoppedBlocking {
        log.warning(
          "\(listener.title) doesn't block any more: a worker of generation \(generation.number) has set O_NONBLOCK, which holds for"
            + " all who have it; workers that expect accept(2) to wait fail now (docs/protocol.md)")
      }
    case .workerLost(let id, let failure, _):
      restarts[id.slot, default: 0] += 1
      losses[id.slot] = SlotLoss(reason: words.reason(failure), lastWords: lastWords(of: failure))
    case .workerRecycled(let id, _, _): restarts[id.slot, default: 0] += 1
    case .workerReady(let id, _): losses[id.slot] = nil
    case .listenersNotOpened(let reason, _): startTrouble = reason
    case .startDelayed(let failure), .startFailed(let failure), .fellBack(_, _, _, let failure):
      startTrouble = words.reason(failure)
    case .startSucceeded:
      dropUntakenAtLast()
      // Of what fell back it stays true why.
      if supervisor.divergence == nil { startTrouble = nil }
    default: break
    }
  }

  /// Puts into the log what the operator should know, and tells the clients of the control socket.
  func report(_ effect: Effect) {
    guard case .report(let notice) = effect else { return }
    // The news that a worker couldn't be started may still be waiting when it is told to drain with the others.
    if case .drainBegan(let id, _) = notice, process(id) == nil { return }
    switch notice {
    // A quick one may be over before the round is, and whoever hears the verdict looks for the files.
    case .reloadSucceeded, .reloadFailed: renewDueFiles()
    default: break
    }
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
      probeReason: { [unowned self] in prober.reason($0) },
      leftBehind: { [unowned self] in process($0)?.leftBehind.map(\.text) ?? [] },
      condition: supervisor.condition)
  }
}
