extension Supervisor {
  /// After this many failures the delay of the start is reported.
  static let failuresUntilDelayIsTold = 3

  var isStarting: Bool {
    if case .starting = phase { true } else { false }
  }

  /// Whether the service hasn't been announced as up yet: the successor of a lost worker has to pass its probe, too.
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
      // What was in the way is gone.
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
      report(.startedFromRecord(serving, of: record, divergence))
    }
  }

  mutating func startWorkers(in count: Int, at now: Instant) {
    slots = Array(repeating: Slot(.added), count: count)
    for index in slots.indices { fill(index, for: .start, at: now) }
  }

  /// Something that may pass is in the way of the listeners.
  mutating func listenersNotOpened(_ reason: String, at now: Instant) {
    if case .idle = phase { beginStart(at: now) }
    guard case .starting(var start) = phase else { preconditionFailure("the listeners are open") }
    start.failures += 1
    let failure = Failure.notListening(reason: reason)
    if fallsBack(start, afterFailures: start.failures, failure) { return fallBack(start, failure, at: now) }
    let delay = settings.backoff(afterFailures: start.failures + 1)
    start.stage = .awaitingListeners(until: now + delay)
    phase = .starting(start)
    report(.listenersNotOpened(reason: reason, retry: delay))
    reloadInsteadOfStart(at: now)
  }

  /// Whether the start is given up because a worker of this slot has failed.
  func isStartOver(_ failure: Failure, slot index: Int) -> Bool {
    guard case .starting(let start) = phase, let most = settings.startAttempts, slots[index].failures >= most else {
      return false
    }
    return !start.isPreparing && !fallsBack(start, afterFailures: slots[index].failures, failure)
  }

  /// A worker of a service that isn't started yet has failed.
  mutating func startDisturbed(_ start: Start, slot index: Int, _ failure: Failure, at now: Instant) {
    if isStartOver(failure, slot: index) { return failStart(failure, at: now) }
    var start = start
    start.failures += 1
    phase = .starting(start)
    let mayFallBack = fallback != nil && settings.fallsBack
    let isLast = settings.startAttempts.map { slots[index].failures >= $0 } ?? false
    if start.failures == Self.failuresUntilDelayIsTold, !isLast, !mayFallBack { report(.startDelayed(failure)) }
    if !start.isPreparing, fallsBack(start, afterFailures: slots[index].failures, failure) {
      return fallBack(start, failure, at: now)
    }
    reloadInsteadOfStart(at: now)
  }

  /// A reload that waits for the start doesn't wait for one that is in trouble: it may bring the fix.
  mutating func reloadInsteadOfStart(at now: Instant) {
    guard case .starting(var start) = phase, let origin = start.latched, start.isInTrouble else { return }
    start.latched = nil
    beginReload(from: origin, resuming: start, at: now)
  }

  /// The start is complete as soon as every slot's worker is ready.
  mutating func completeStart(_ start: Start, at now: Instant) {
    guard !slots.isEmpty, slots.allSatisfy({ $0.worker?.isReady == true }) else { return }
    switch start.stage {
    // Workers that got ready after all need no others in their place.
    case .preparing(let generation, _): order(.abandonPreparation(generation))
    case .awaitingListeners, .startingWorkers: break
    }
    report(.startSucceeded(serving, workers: slots.count, after: now - start.began))
    order(.announce(.ready))
    phase = .serving
    slotsAtStart = 1
    // After a roll that stopped half way no generation serves in all slots, and none can prove itself.
    if slots.allSatisfy({ $0.worker?.id.generation == serving }) { beginProbation(at: now) }
    serve(reloading: start.latched, at: now)
  }

  /// Nothing is pending any more: what had to wait for that is done now.
  mutating func serve(reloading latched: Origin?, at now: Instant) {
    phase = .serving
    standStill()
    takeBackSlots()
    scaleToDesired(at: now)
    refillSlots(at: now)
    if let latched { beginReload(from: latched, at: now) }
  }

  /// A reload that was to fix a start has failed: the start continues.
  mutating func resume(_ start: Start, reloading latched: Origin?, at now: Instant) {
    phase = .starting(start)
    takeBackSlots()
    switch start.stage {
    case .awaitingListeners: slots.removeAll()
    case .preparing, .startingWorkers: refillSlots(at: now)
    }
    if let latched { return beginReload(from: latched, resuming: start, at: now) }
    completeStart(start, at: now)
  }

  /// The slots that a failed reload has added go with it.
  private mutating func takeBackSlots() {
    // A successor that was asked for may be on its way, of a generation that has left off serving in half of the slots.
    let awaited = slots.compactMap(\.candidate?.id.generation)
    generations = generations.filter { $0.key == serving || awaited.contains($0.key) }
    while slots.count > max(desiredWorkers, slotsAtStart), slots.last?.current == .added { slots.removeLast() }
  }

  /// Only after a failed reload: its candidates were to fill these slots, or have died in them.
  private mutating func refillSlots(at now: Instant) {
    for index in slots.indices {
      switch slots[index].current {
      // A successor that was asked for may be on its way.
      case .added, .vacant: if slots[index].candidate == nil { refill(index, at: now) }
      case .waiting: endWait(slot: index, at: now)
      case .worker: break
      }
    }
  }

  mutating func startDeadline(_ start: Start, at now: Instant) {
    if let limit = start.limit, limit <= now { return limitReached(start, .tookTooLong(limit - start.began), at: now) }
    switch start.stage {
    case .awaitingListeners(let until) where until <= now:
      // The answer comes before anything else happens; if it didn't, this would be tried again.
      var start = start
      start.stage = .awaitingListeners(until: now + settings.backoffLongest)
      phase = .starting(start)
      order(.openListeners)
    case .preparing(let generation, let until) where until <= now: fallbackTimedOut(start, generation, at: now)
    case .awaitingListeners, .preparing, .startingWorkers: break
    }
  }

  /// What served last gets as much time, if there is such a generation.
  private mutating func limitReached(_ start: Start, _ failure: Failure, at now: Instant) {
    let isPreparing = start.isPreparing
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

  /// The start is given up, and with it the service: one that never served must not appear to be up.
  mutating func failStart(_ failure: Failure, at now: Instant) {
    report(.startFailed(failure))
    stop(.startFailed, at: now)
  }
}

extension Start {
  /// Whether the last good release is being prepared.
  var isPreparing: Bool {
    if case .preparing = stage { true } else { false }
  }

  /// Whether it may never end, and no preparation is under way.
  var isInTrouble: Bool {
    switch stage {
    case .preparing: false
    case .awaitingListeners: true
    case .startingWorkers: failures > 0
    }
  }
}
