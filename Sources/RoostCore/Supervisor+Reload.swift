extension Supervisor {
  mutating func reloadRequested(
    by requester: Requester, from origin: Origin, replacing: Bool = false, at now: Instant
  ) {
    if requester.isWorker {
      if let workerAsked, now - workerAsked < Self.workerReloadPause { return }
      workerAsked = now
    }
    switch phase {
    // A worker that asks without end mustn't have the log say so without end.
    case .starting(let start) where start.latched != nil && requester.isWorker: break
    case .reloading(let reload) where reload.latched != nil && requester.isWorker: break
    case .starting(var start):
      order(.report(.reloadRequested(by: requester, from: origin, latched: start.isInTrouble ? nil : .start)))
      start.latched = origin
      phase = .starting(start)
      reloadInsteadOfStart(at: now)
    case .serving:
      order(.report(.reloadRequested(by: requester, from: origin, latched: nil)))
      beginReload(from: origin, at: now)
    case .reloading(var reload):
      // The last word counts: it is of now.
      reload.latched = origin
      phase = .reloading(reload)
      order(.report(.reloadRequested(by: requester, from: origin, latched: replacing ? nil : .reload)))
      if replacing { breakOff(reload, .replaced(by: requester), at: now) }
    case .idle, .stopping, .stopped:
      // Before the start the newest release is about to be started anyway; after a stop nothing is.
      break
    }
  }

  mutating func cancelRequested(by requester: Requester, at now: Instant) {
    switch phase {
    case .reloading(let reload):
      order(.report(.cancelRequested(by: requester)))
      breakOff(reload, .cancelled(by: requester), at: now)
    case .idle, .starting, .serving, .stopping, .stopped: break  // There is nothing to be ended any more.
    }
  }

  /// A start that is resumed if the reload fails hasn't told systemd that it is over.
  mutating func beginReload(from origin: Origin, resuming start: Start? = nil, at now: Instant) {
    newest = newest.next
    phase = .reloading(Reload(newest, from: origin, resuming: start, settings, at: now))
    if start == nil { order(.announce(.reloading)) }
    askForTime(at: now)
    order(.report(.reloadBegan(newest, from: origin)))
    keepSlots()
    if slots.isEmpty { slots = Array(repeating: Slot(current: .vacant), count: max(desiredWorkers, slotsAtStart)) }
    order(.prepare(newest, from: origin))
  }

  /// The reload is ended by somebody, whatever it is doing.
  private mutating func breakOff(_ reload: Reload, _ failure: Failure, at now: Instant) {
    switch reload.stage {
    case .preparing: order(.abandonPreparation(reload.generation))
    case .awaitingHook: killHook(.beforeReload, reload.generation)
    case .starting, .settling: break
    }
    failReload(reload, failure, at: now)
  }

  mutating func generationPrepared(_ generation: Generation, _ settings: Settings?, at now: Instant) {
    switch phase {
    case .reloading(var reload):
      precondition(reload.generation == generation && reload.isPreparing, "prepared out of turn")
      if let settings { reload.settings = settings }
      if reload.settings.workers != self.settings.workers {
        reload.workersBefore = desiredWorkers
        reload.slotsBefore = slots.count
        order(.report(.scaled(from: desiredWorkers, to: reload.settings.workers, latched: .reload)))
        desiredWorkers = reload.settings.workers
        // The slots that are added have only a candidate.
        while slots.count < desiredWorkers { slots.append(Slot(current: .vacant)) }
      }
      if reload.settings.hooks.contains(.beforeReload) {
        reload.stage = .awaitingHook
        phase = .reloading(reload)
        run(.beforeReload, generation, reload.settings, at: now)
      } else {
        startBatch(of: reload, at: now)
      }
    case .starting(let start):
      guard case .preparing(generation, _) = start.stage else { preconditionFailure("prepared out of turn") }
      fallbackPrepared(start, generation, settings, at: now)
    case .idle, .serving, .stopping, .stopped:
      break  // A stop came first.
    }
  }

  mutating func generationNotPrepared(_ generation: Generation, _ reason: String, at now: Instant) {
    switch phase {
    case .reloading(let reload):
      precondition(reload.generation == generation && reload.isPreparing, "prepared out of turn")
      failReload(reload, .notPrepared(reason: reason), at: now)
    case .starting(let start):
      guard case .preparing(generation, _) = start.stage else { preconditionFailure("prepared out of turn") }
      fallbackFailed(start, reason, at: now)
    case .idle, .serving, .stopping, .stopped:
      break  // A stop came first.
    }
  }

  mutating func preparationTimedOut(_ reload: Reload, at now: Instant) {
    order(.abandonPreparation(reload.generation))
    failReload(reload, .notPrepared(reason: Self.preparationTooLong), at: now)
  }

  static var preparationTooLong: String {
    "reading the configuration and looking for what it names took longer than \(preparationTimeout.components.seconds) s"
  }

  /// A stop comes before the generation is prepared.
  mutating func abandonPreparation() {
    switch phase {
    case .reloading(let reload) where reload.isPreparing: order(.abandonPreparation(reload.generation))
    case .starting(let start):
      if case .preparing(let generation, _) = start.stage { order(.abandonPreparation(generation)) }
    case .idle, .serving, .reloading, .stopping, .stopped: break
    }
  }

  mutating func startBatch(of reload: Reload, at now: Instant) {
    var reload = reload
    // Written so that a surge of Int.max can't overflow.
    let batch = reload.moved..<(reload.moved + min(reload.settings.surge, slots.count - reload.moved))
    reload.stage = .starting(batch: batch)
    phase = .reloading(reload)
    for index in batch {
      switch slots[index].current {
      case .backingOff: slots[index].current = .vacant  // Its candidate is on its way.
      case .vacant, .worker: break
      }
      slots[index].candidate = spawn(
        slot: index, generation: reload.generation, reload.settings, probed: true, at: now)
    }
  }

  /// A candidate got ready: if it was its batch's last, the batch is observed from now on.
  mutating func candidateReady(at now: Instant) {
    guard case .reloading(var reload) = phase, case .starting(let batch) = reload.stage else {
      preconditionFailure("a candidate gets ready only while its batch starts")
    }
    guard slots[batch].allSatisfy({ $0.candidate?.isReady == true }) else { return }
    if reload.settings.settle == .zero { return takeOverUnlessStopped(batch, of: reload, at: now) }
    reload.stage = .settling(batch: batch, until: now + reload.settings.settle)
    phase = .reloading(reload)
  }

  /// A candidate that a signal has stopped is alive, and serves nobody.
  mutating func takeOverUnlessStopped(_ batch: Range<Int>, of reload: Reload, at now: Instant) {
    if let candidate = slots[batch].lazy.compactMap(\.candidate).first(where: { $0.stopped != nil }) {
      return failReload(reload, .stopped(candidate.id), at: now)
    }
    takeOver(batch, of: reload, at: now)
  }

  /// The moment in which a batch of candidates becomes current.
  mutating func takeOver(_ batch: Range<Int>, of reload: Reload, at now: Instant) {
    var reload = reload
    var drains: [Effect] = []
    adopt(reload.settings)
    for index in batch {
      guard let candidate = slots[index].candidate else { preconditionFailure("a takeover without a candidate") }
      if let retiring = slots[index].worker {
        retire(retiring, at: now)
        drains.append(.report(.drainBegan(retiring.id, timeout: settings.drainTimeout)))
      }
      slots[index] = Slot(current: .worker(candidate))
    }
    order(.report(.tookOver(reload.generation, slots: batch)))
    orders += drains
    serving = reload.generation
    servingOrigin = reload.origin
    probation = nil
    fallback = nil
    // It has listeners, and its workers serve.
    reload.start?.stage = .startingWorkers
    reload.moved = batch.upperBound
    if reload.moved < slots.count {
      startBatch(of: reload, at: now)
    } else {
      settings.workers = reload.settings.workers
      divergence = if case .record = reload.origin { .rolledBack } else { nil }
      order(.report(.reloadSucceeded(reload.generation, after: now - reload.began)))
      order(.announce(.ready))
      phase = .serving
      slotsAtStart = 1
      beginProbation(at: now)
      if settings.hooks.contains(.afterTakeover) { run(.afterTakeover, reload.generation, settings, at: now) }
      serve(reloading: reload.latched, at: now)
    }
  }

  /// A generation that serves brings its settings. The number of workers is only its own once it serves in all slots:
  /// after a roll that stops half-way the next reload asks for it again.
  private mutating func adopt(_ new: Settings) {
    let workers = settings.workers
    settings = new
    settings.workers = workers
  }

  /// Takes back what the settings of a failed reload have changed in the number of workers; what operators have asked for
  /// meanwhile stays.
  private mutating func unscale(_ reload: Reload) {
    guard let before = reload.workersBefore, let slotsBefore = reload.slotsBefore else { return }
    desiredWorkers = min(max(before + desiredWorkers - reload.settings.workers, 1), Settings.maximumWorkers)
    while slots.count > slotsBefore, let last = slots.last, last.current == .vacant { slots.removeLast() }
  }

  /// The reload is given up. Its candidates may be serving, so they drain like any retiree; slots that moved stay moved.
  mutating func failReload(_ reload: Reload, _ failure: Failure, at now: Instant) {
    var drains: [Effect] = []
    for index in slots.indices {
      guard let candidate = slots[index].candidate else { continue }
      slots[index].candidate = nil
      retire(candidate, reload.settings, at: now)
      drains.append(.report(.drainBegan(candidate.id, timeout: reload.settings.drainTimeout)))
    }
    let slotCount = slots.count
    unscale(reload)
    order(
      .report(
        .reloadFailed(
          reload.generation, failure, after: now - reload.began, serving: serving, moved: reload.moved,
          slots: slotCount)))
    switch reload.origin {
    case .configuration: divergence = .reloadFailed(reload.generation)
    case .record: if reload.moved > 0 { divergence = .rolledBack }
    }
    if reload.start == nil { order(.announce(.ready)) }
    orders += drains
    if let start = reload.start { return resume(start, reloading: reload.latched, at: now) }
    serve(reloading: reload.latched, at: now)
  }
}
