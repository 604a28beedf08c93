/// A reload prepares a generation, and replaces all workers with its own, batch by batch.
extension Supervisor {
  mutating func reloadRequested(
    by requester: Requester, from origin: Origin, replacing: Bool = false, at now: Instant
  ) {
    if requester.isWorker {
      if let workerAsked, now - workerAsked < Self.workerReloadPause { return }
      workerAsked = now
    }
    switch phase {
    // A worker that asks endlessly mustn't fill the log with it.
    case .starting(let start) where start.latched != nil && requester.isWorker: break
    case .reloading(let reload) where reload.latched != nil && requester.isWorker: break
    case .starting(var start):
      report(.reloadRequested(by: requester, from: origin, latched: start.isInTrouble ? nil : .start))
      start.latched = origin
      phase = .starting(start)
      reloadInsteadOfStart(at: now)
    case .serving:
      report(.reloadRequested(by: requester, from: origin, latched: nil))
      beginReload(from: origin, at: now)
    case .reloading(var reload):
      // The last request counts: it is the newest.
      reload.latched = origin
      phase = .reloading(reload)
      report(.reloadRequested(by: requester, from: origin, latched: replacing ? nil : .reload))
      if replacing { breakOff(reload, .replaced(by: requester), at: now) }
    case .idle, .stopping, .stopped:
      // Before the start the newest release is about to be started anyway; after a stop nothing is.
      break
    }
  }

  mutating func cancelRequested(by requester: Requester, at now: Instant) {
    // If none is running, there is nothing left to end.
    guard case .reloading(let reload) = phase else { return }
    report(.cancelRequested(by: requester))
    breakOff(reload, .cancelled(by: requester), at: now)
  }

  /// A start that is resumed if the reload fails hasn't told systemd that it is over.
  mutating func beginReload(from origin: Origin, resuming start: Start? = nil, at now: Instant) {
    newest = newest.next
    generations[newest] = settings
    let deadline = now + Self.preparationTimeout
    phase = .reloading(
      Reload(
        generation: newest, origin: origin, start: start, began: now, stage: .preparing(until: deadline),
        workers: workers))
    if start == nil { order(.announce(.reloading)) }
    askForTime(at: now)
    report(.reloadBegan(newest, from: origin))
    // All slots take part.
    for index in slots.indices { slots[index].emptyBy = nil }
    if slots.isEmpty { addSlots(upTo: max(desiredWorkers, slotsAtStart)) }
    order(.prepare(newest, from: origin))
  }

  /// Ends the reload from outside, whatever it is doing.
  private mutating func breakOff(_ reload: Reload, _ failure: Failure, at now: Instant) {
    switch reload.stage {
    case .preparing: order(.abandonPreparation(reload.generation))
    case .awaitingHook: killHook(.beforeReload, reload.generation)
    case .replacing: break
    }
    failReload(reload, failure, at: now)
  }

  mutating func generationPrepared(
    _ generation: Generation, _ settings: Settings?, leavesQueues: Bool, at now: Instant
  ) {
    switch phase {
    case .reloading(var reload):
      precondition(reload.generation == generation && reload.isPreparing, "prepared out of turn")
      let settings = settings ?? self.settings
      generations[generation] = settings
      self.leavesQueues = leavesQueues
      if settings.workers != configuredWorkers {
        report(.scaled(from: reload.workers, to: settings.workers, latched: .reload))
        reload.workers = settings.workers
        addSlots(upTo: reload.workers)
      }
      guard settings.beforeReload else { return startBatch(of: reload, at: now) }
      reload.stage = .awaitingHook
      phase = .reloading(reload)
      run(.beforeReload, generation, at: now)
    case .starting(let start):
      guard case .preparing(generation, _) = start.stage else { preconditionFailure("prepared out of turn") }
      self.leavesQueues = leavesQueues
      fallbackPrepared(start, generation, settings, at: now)
      self.leavesQueues = false
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
    breakOff(reload, .notPrepared(reason: Self.preparationTooLong), at: now)
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

  /// Slots that have no worker until their first candidate takes over.
  private mutating func addSlots(upTo count: Int) {
    while slots.count < count { slots.append(Slot(.added)) }
  }

  mutating func startBatch(of reload: Reload, at now: Instant) {
    var reload = reload
    // Written so that a surge of Int.max can't overflow.
    let surge = min(settings(of: reload.generation).surge, slots.count - reload.moved)
    let batch = reload.moved..<reload.moved + surge
    reload.stage = .replacing(batch)
    phase = .reloading(reload)
    for index in batch {
      if let other = slots[index].candidate { giveUp(other, .overtaken(by: reload.generation), at: now) }
      fill(index, for: .reload, at: now)
    }
  }

  /// The reload to which a candidate, or a hook before it, belongs.
  var runningReload: Reload {
    guard let reload else { preconditionFailure("no reload is running") }
    return reload
  }

  /// The slots whose candidates of the reload take over together.
  var currentBatch: Range<Int> {
    guard case .replacing(let batch) = runningReload.stage else {
      preconditionFailure("a candidate gets ready only while its batch is replaced")
    }
    return batch
  }

  /// Candidates of the reload are current by now.
  mutating func generationTookOver(_ batch: Range<Int>) {
    var reload = runningReload
    report(.tookOver(reload.generation, slots: batch))
    serving = reload.generation
    servingOrigin = reload.origin
    probation = nil
    fallback = nil
    // It has listeners, and its workers serve.
    reload.start?.stage = .startingWorkers
    reload.moved = batch.upperBound
    phase = .reloading(reload)
  }

  /// Their predecessors are told to go: the next batch follows, if there is one.
  mutating func batchTookOver(at now: Instant) {
    let reload = runningReload
    if reload.moved < slots.count { return startBatch(of: reload, at: now) }
    configuredWorkers = settings.workers
    workers = reload.workers
    divergence = if case .record = reload.origin { .rolledBack } else { nil }
    report(.reloadSucceeded(reload.generation, after: now - reload.began))
    leavesQueues = false
    if settings.afterTakeover { run(.afterTakeover, reload.generation, at: now) }
    // One that moved earlier may have recycled itself. A start isn't over before its successor is ready: if slots go, it may be
    // the only one that stays.
    if let start = reload.start, !slots.allSatisfy({ $0.worker?.isReady == true }) {
      return resume(start, reloading: reload.latched, at: now)
    }
    order(.announce(.ready))
    slotsAtStart = 1
    beginProbation(at: now)
    serve(reloading: reload.latched, at: now)
  }

  /// The reload is given up. Its candidates may be serving, so they drain like any retiree; slots that moved stay moved.
  mutating func failReload(_ reload: Reload, _ failure: Failure, at now: Instant) {
    report(
      .reloadFailed(
        reload.generation, failure, after: now - reload.began, serving: serving, moved: reload.moved,
        slots: slots.count))
    for index in slots.indices {
      guard let candidate = slots[index].candidate, candidate.purpose == .reload else { continue }
      slots[index].candidate = nil
      retire(candidate, at: now)
    }
    switch reload.origin {
    case .configuration: divergence = .reloadFailed(reload.generation)
    case .record: if reload.moved > 0 { divergence = .rolledBack }
    }
    if let start = reload.start { return resume(start, reloading: reload.latched, at: now) }
    order(.announce(.ready))
    serve(reloading: reload.latched, at: now)
  }
}
