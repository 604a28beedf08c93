extension Supervisor {
  /// After how many failures it is told that the start takes long.
  static let failuresUntilDelayIsTold = 3

  var isStarting: Bool {
    switch phase {
    case .starting: true
    case .idle, .serving, .reloading, .stopping, .stopped: false
    }
  }

  /// Whether nobody has been told yet that the service is up: who replaces a lost worker has to pass its probe, too.
  var hasNeverServed: Bool {
    switch phase {
    case .starting: true
    case .reloading(let reload): reload.start != nil
    case .idle, .serving, .stopping, .stopped: false
    }
  }

  mutating func startRequested(at now: Instant) {
    switch phase {
    case .idle:
      beginStart(at: now)
      startWorkers(in: slotsAtStart, at: now)
    case .starting(var start):
      guard case .awaitingListeners = start.stage else { preconditionFailure("the listeners were open") }
      start.stage = .startingWorkers
      // What was in the way isn't any more.
      start.failures = 0
      phase = .starting(start)
      startWorkers(in: slotsAtStart, at: now)
    case .serving, .reloading, .stopping, .stopped:
      preconditionFailure("a service starts once")
    }
  }

  private mutating func beginStart(at now: Instant) {
    phase = .starting(Start(began: now, limit: settings.startLimit))
    askForTime(at: now)
    if case .record(let record) = servingOrigin, let divergence {
      order(.report(.startedFromRecord(serving, of: record, divergence)))
    }
  }

  mutating func startWorkers(in count: Int, at now: Instant) {
    slots.removeAll()
    for index in 0..<count {
      let worker = spawn(slot: index, generation: serving, settings, probed: true, at: now)
      slots.append(Slot(current: .worker(worker)))
    }
  }

  /// What time may heal is in the way of the listeners.
  mutating func listenersNotOpened(_ reason: String, at now: Instant) {
    if case .idle = phase { beginStart(at: now) }
    guard case .starting(var start) = phase else { preconditionFailure("the listeners are open") }
    start.failures += 1
    let failure = Failure.notListening(reason: reason)
    if fallsBack(start, afterFailures: start.failures, failure) { return fallBack(start, failure, at: now) }
    let delay = settings.backoff.delay(afterFailures: start.failures + 1)
    start.stage = .awaitingListeners(until: now + delay)
    phase = .starting(start)
    order(.report(.listenersNotOpened(reason: reason, retry: delay)))
    reloadInsteadOfStart(at: now)
  }

  /// A worker of a service that isn't started yet has failed, so often in a row in its slot.
  mutating func startDisturbed(_ start: Start, by worker: Worker, _ failure: Failure, at now: Instant) {
    let index = worker.id.slot
    let failures = slots[index].failures
    var start = start
    start.failures += 1
    let isOver = settings.startAttempts.map { failures >= $0 } ?? false
    let isPreparing = if case .preparing = start.stage { true } else { false }
    let fallsBack = !isPreparing && self.fallsBack(start, afterFailures: failures, failure)
    guard !isOver || fallsBack || isPreparing else {
      order(.report(.workerLost(worker.id, failure, then: .startFails)))
      return failStart(failure, at: now)
    }
    // Unlike a worker that has served, one that never did isn't tried again at once: what it needs may come up.
    let delay = settings.backoff.delay(afterFailures: failures + 1)
    order(.report(.workerLost(worker.id, failure, then: .another(after: delay))))
    slots[index].current = .backingOff(until: now + delay)
    phase = .starting(start)
    let mayFallBack = fallback != nil && settings.fallsBack
    if start.failures == Self.failuresUntilDelayIsTold, !isOver, !mayFallBack { order(.report(.startDelayed(failure))) }
    if fallsBack { return fallBack(start, failure, at: now) }
    reloadInsteadOfStart(at: now)
  }

  /// A reload that waits for the start doesn't wait for one that is in trouble: it may bring what mends it.
  mutating func reloadInsteadOfStart(at now: Instant) {
    guard case .starting(var start) = phase, let origin = start.latched, start.isInTrouble else { return }
    start.latched = nil
    beginReload(from: origin, resuming: start, at: now)
  }

  /// The start is complete as soon as every slot's worker is ready.
  mutating func completeStart(_ start: Start, at now: Instant) {
    guard !slots.isEmpty, slots.allSatisfy({ $0.worker?.isReady == true }) else { return }
    switch start.stage {
    // Whoever has got ready after all needs no other in its place.
    case .preparing(let generation, _): order(.abandonPreparation(generation))
    case .awaitingListeners, .startingWorkers: break
    }
    order(.report(.startSucceeded(serving, workers: slots.count, after: now - start.began)))
    order(.announce(.ready))
    phase = .serving
    slotsAtStart = 1
    beginProbation(at: now)
    serve(reloading: start.latched, at: now)
  }

  /// Nothing is pending any more: does what had to wait for that.
  mutating func serve(reloading latched: Origin?, at now: Instant) {
    phase = .serving
    standStill()
    // Only after a failed reload: its candidates were to fill these, or have died in them.
    for index in slots.indices where slots[index].current == .vacant { replace(slot: index, at: now) }
    scaleToDesired(at: now)
    if let latched { beginReload(from: latched, at: now) }
  }

  /// A reload that was to bring what mends a start has failed: the start goes on.
  mutating func resume(_ start: Start, reloading latched: Origin?, at now: Instant) {
    phase = .starting(start)
    switch start.stage {
    case .awaitingListeners: slots.removeAll()
    case .preparing, .startingWorkers:
      for index in slots.indices where slots[index].current == .vacant { replace(slot: index, at: now) }
    }
    if let latched { return beginReload(from: latched, resuming: start, at: now) }
    completeStart(start, at: now)
  }

  mutating func startDeadline(_ start: Start, at now: Instant) {
    if let limit = start.limit, limit <= now { return limitReached(start, .tookTooLong(limit - start.began), at: now) }
    switch start.stage {
    case .awaitingListeners(let until) where until <= now:
      // Answered before anything else happens; if it weren't, it would be tried again.
      var start = start
      start.stage = .awaitingListeners(until: now + settings.backoff.longest)
      phase = .starting(start)
      order(.openListeners)
    case .preparing(let generation, let until) where until <= now: fallbackTimedOut(start, generation, at: now)
    case .awaitingListeners, .preparing, .startingWorkers: break
    }
  }

  /// What served last gets as much time, if there is something.
  private mutating func limitReached(_ start: Start, _ failure: Failure, at now: Instant) {
    let isPreparing = if case .preparing = start.stage { true } else { false }
    let mayFallBack = fallback != nil && settings.fallsBack && !start.hasFallenBackInVain
    guard isPreparing || mayFallBack else { return failStart(failure, at: now) }
    var start = start
    start.limit = now + (settings.startLimit ?? Self.preparationTimeout)
    if !isPreparing { return fallBack(start, failure, at: now) }
    phase = .starting(start)
    if case .preparing(let generation, let until) = start.stage, until <= now {
      fallbackTimedOut(start, generation, at: now)
    }
  }

  /// The start is given up, and with it the service: one that never served must not look up.
  mutating func failStart(_ failure: Failure, at now: Instant) {
    order(.report(.startFailed(failure)))
    stop(.startFailed, at: now)
  }
}

extension Start {
  /// Whether it can be that it never ends, and no preparation is under way.
  var isInTrouble: Bool {
    switch stage {
    case .preparing: false
    case .awaitingListeners: true
    case .startingWorkers: failures > 0
    }
  }
}
