/// The one path by which a worker gets a slot or takes another's place: it is started for a purpose, accepts, passes
/// its probe, is observed, and takes over. What differs between purposes is a table (`Purpose.policy`).
extension Supervisor {
  /// Fills a slot. The worker that has it, if there is one, serves until the takeover.
  mutating func fill(_ index: Int, for purpose: Purpose, after wait: Duration = .zero, at now: Instant) {
    switch purpose.policy.succession {
    case .beside:
      // A worker that was still to be started here no longer is: this candidate comes instead.
      if slots[index].worker == nil, slots[index].current != .added { slots[index].current = .vacant }
      slots[index].candidate = spawn(slot: index, for: purpose, at: now)
    case .vacancy:
      slots[index].current = .waiting(until: now + wait, purpose)
      endWait(slot: index, at: now)
    }
  }

  /// Starts the worker that a slot waits for, if it is time.
  mutating func endWait(slot index: Int, at now: Instant) {
    guard slots.indices.contains(index), case .waiting(let until, let purpose) = slots[index].current, until <= now
    else { return }
    slots[index].current = .worker(spawn(slot: index, for: purpose, at: now))
  }

  private mutating func spawn(slot: Int, for purpose: Purpose, at now: Instant) -> Worker {
    workersStarted += 1
    let generation = purpose == .reload ? newest : serving
    let id = WorkerID(number: workersStarted, slot: slot, generation: generation)
    order(.spawn(id))
    return Worker(id: id, for: purpose, settings(of: generation), at: now)
  }

  /// What follows a lost worker. As long as none has served, that is the start's business.
  var purposeOfReplacement: Purpose { hasNeverServed ? .start : .lost }

  mutating func workerReady(_ id: WorkerID, at now: Instant) {
    // A retiree's word comes too late to matter. A worker that is to prove itself by age can't get ready by word, and
    // none gets ready twice.
    guard let worker = unretired(id), case .starting = worker.stage else { return }
    accepts(worker, at: now)
  }

  /// A worker accepts, by word or by age, and is asked now whether it serves well.
  private mutating func accepts(_ worker: Worker, at now: Instant) {
    order(.restoreBacklog)
    guard let timeout = worker.probeTimeout else { return isReady(worker, at: now) }
    set(.probing(until: now + timeout), of: worker)
    order(.probe(worker.id))
  }

  mutating func probeSucceeded(_ id: WorkerID, at now: Instant) {
    // An answer may come after the worker was given up.
    guard let worker = unretired(id), case .probing = worker.stage else { return }
    isReady(worker, at: now)
  }

  private mutating func isReady(_ worker: Worker, at now: Instant) {
    report(.workerReady(worker.id, after: now - worker.started))
    // The settings of a worker that isn't observed may be forgotten.
    let settle = worker.purpose.policy.isObserved ? settings(of: worker.id.generation).settle : .zero
    guard settle > .zero else { return isSettled(worker, since: now, at: now) }
    set(.settling(since: now, until: now + settle), of: worker)
  }

  /// Nothing more is expected of a worker. It takes over, if another one has its slot.
  private mutating func isSettled(_ worker: Worker, since: Instant, at now: Instant) {
    set(.ready(since: since), of: worker)
    guard slots[worker.id.slot].candidate?.id == worker.id else {
      if case .starting(let start) = phase { completeStart(start, at: now) }
      return
    }
    let isOfBatch = if case .beside(.batch, _) = worker.purpose.policy.succession { true } else { false }
    let batch = isOfBatch ? currentBatch : worker.id.slot..<worker.id.slot + 1
    guard slots[batch].allSatisfy({ $0.candidate?.isSettled == true }) else { return }
    // A worker that was stopped by a signal is alive, but doesn't serve.
    if let stopped = slots[batch].lazy.compactMap(\.candidate).first(where: { $0.stopped != nil }) {
      return lose(stopped, .stopped(stopped.id), isAlive: true, at: now)
    }
    takeOver(batch, for: worker.purpose, at: now)
  }

  /// The moment in which candidates become current.
  private mutating func takeOver(_ batch: Range<Int>, for purpose: Purpose, at now: Instant) {
    let retiring = slots[batch].compactMap(\.worker)
    for index in batch {
      guard let candidate = slots[index].candidate else { preconditionFailure("a takeover without a candidate") }
      let emptyBy = slots[index].emptyBy
      slots[index] = Slot(.worker(candidate))
      slots[index].emptyBy = emptyBy
      if purpose != .reload { report(.replaced(by: candidate.id)) }
    }
    if purpose == .reload { generationTookOver(batch) }
    for worker in retiring { retire(worker, at: now) }
    if purpose == .reload { batchTookOver(at: now) }
  }

  /// A worker has failed, or has to be given up. If it is alive, it is told to go.
  mutating func lose(_ worker: Worker, _ failure: Failure, isAlive: Bool, at now: Instant) {
    let index = worker.id.slot
    guard slots[index].candidate?.id == worker.id else {
      return currentLost(worker, failure, isAlive: isAlive, at: now)
    }
    if !isAlive { slots[index].candidate = nil }
    switch (worker.purpose.policy.succession, phase) {
    case (.beside(_, onFailure: .reloadFails), .reloading(let reload)): failReload(reload, failure, at: now)
    case (.beside(_, onFailure: .predecessorStays), _):
      giveUp(worker, failure, isAlive: isAlive, at: now)
      if slots[index].current == .vacant { refill(index, at: now) }
    case (.beside(_, onFailure: .reloadFails), _), (.vacancy, _): preconditionFailure("a candidate of no reload")
    }
  }

  /// A candidate doesn't take over; the worker that has the slot keeps it.
  mutating func giveUp(_ candidate: Worker, _ failure: Failure, isAlive: Bool = true, at now: Instant) {
    slots[candidate.id.slot].candidate = nil
    report(.replacementFailed(candidate.id, failure))
    if isAlive { retire(candidate, at: now) }
  }

  private mutating func currentLost(_ worker: Worker, _ failure: Failure, isAlive: Bool, at now: Instant) {
    let index = worker.id.slot
    let successor = successor(of: worker, failure, at: now)
    let wait = slots[index].count(worker, for: successor, settings, at: now)
    let isAwaited = slots[index].candidate != nil
    slots[index].current = isAwaited ? .vacant : .waiting(until: now + wait, successor)
    let isStartOver = !isAwaited && successor == .start && isStartOver(failure, slot: index)
    let then: Consequence = isStartOver ? .startFails : isAwaited ? .awaitsCandidate : .another(after: wait)
    report(
      successor == .recycled
        ? .workerRecycled(worker.id, after: now - (worker.readySince ?? now), then: then)
        : .workerLost(worker.id, failure, then: then))
    if isAlive { retire(worker, at: now) }
    if successor != .recycled { serviceDisturbed(by: worker, failure, at: now) }
    endWait(slot: index, at: now)
  }

  /// A worker that has served and ends with status 0 has not failed: it has recycled itself, as servers do after a
  /// number of requests.
  private func successor(of worker: Worker, _ failure: Failure, at now: Instant) -> Purpose {
    guard case .exited(_, .exited(status: 0), .serving) = failure else { return purposeOfReplacement }
    // A start has to come to an end.
    let isTooOften = hasNeverServed && slots[worker.id.slot].isBurstOver(settings, at: now)
    return isTooOften ? .start : .recycled
  }

  /// What the failure of a worker that had its slot means.
  private mutating func serviceDisturbed(by worker: Worker, _ failure: Failure, at now: Instant) {
    switch phase {
    case .starting(let start): startDisturbed(start, slot: worker.id.slot, failure, at: now)
    // A release that dies after it has taken over is as bad as one that dies before: it gets no more slots.
    case .reloading(let reload) where worker.id.slot < reload.moved: failReload(reload, failure, at: now)
    case .serving, .reloading: probationDisturbed(by: worker, at: now)
    case .idle, .stopping, .stopped: preconditionFailure("no worker has a slot in this phase")
    }
  }

  /// Starts another worker in a slot whose candidate was to have it.
  mutating func refill(_ index: Int, at now: Instant) {
    fill(index, for: purposeOfReplacement, after: slots[index].wait(settings), at: now)
  }
}

/// News of a worker.
extension Supervisor {
  mutating func workerExited(_ id: WorkerID, _ cause: ExitCause, remains: Bool, at now: Instant) {
    let retiree = retireeIndex(id).map { retirees.remove(at: $0) }
    let isKilled = retiree?.stage == .killed
    if let retiree { report(.drainEnded(id, cause, after: now - retiree.told, killed: isKilled)) }
    if remains { stopRemains(of: id, killed: isKilled, at: now) }
    if retiree != nil { return exitIfAllReaped() }
    let worker = known(id)
    let isCandidate = slots[id.slot].candidate?.id == id
    let moment: Failure.Moment = isCandidate && worker.isReady ? .settling : worker.moment(at: now)
    lose(worker, .exited(id, cause, moment), isAlive: false, at: now)
  }

  mutating func workerNotStarted(_ id: WorkerID, _ reason: String, at now: Instant) {
    if let index = retireeIndex(id) {
      // Between its order and this news another candidate of its batch has failed.
      retirees.remove(at: index)
      exitIfAllReaped()
    } else {
      lose(known(id), .notStarted(id, reason: reason), isAlive: false, at: now)
    }
  }

  mutating func workerStopped(_ id: WorkerID, at now: Instant) {
    guard var worker = unretired(id), worker.stopped == nil else { return }
    worker.stopped = now
    let isObserved = worker.isReady && slots[id.slot].candidate?.id == id
    if isObserved { worker.stops += 1 }
    store(worker)
    // Otherwise it would be observed for ever.
    if isObserved, worker.stops == Self.mostStops { lose(worker, .stopped(id), isAlive: true, at: now) }
  }

  /// The time for which a candidate is observed begins again: it hasn't served meanwhile.
  mutating func workerContinued(_ id: WorkerID, at now: Instant) {
    guard var worker = unretired(id), worker.stopped != nil else { return }
    worker.stopped = nil
    if let since = worker.readySince, slots[id.slot].candidate?.id == id {
      worker.stage = .settling(since: since, until: now + settings(of: id.generation).settle)
    }
    store(worker)
  }

  mutating func workerAskedForTime(_ id: WorkerID, _ duration: Duration, at now: Instant) {
    let wanted = now + duration
    if let index = retireeIndex(id), case .draining(let until) = retirees[index].stage {
      retirees[index].stage = .draining(until: max(until, wanted))
    } else if let worker = unretired(id), case .starting(let until) = worker.stage {
      set(.starting(until: max(until, wanted)), of: worker)
    }
  }

  /// Acts on the deadlines of a slot's workers.
  mutating func workerDeadlines(slot index: Int, at now: Instant) {
    endWait(slot: index, at: now)
    for worker in slots[index].workers {
      guard let deadline = worker.deadline, deadline <= now, unretired(worker.id) != nil else { continue }
      switch worker.stage {
      case .starting:
        lose(worker, .notReady(worker.id, timeout: deadline - worker.started), isAlive: true, at: now)
      case .probing:
        lose(worker, .probeFailed(worker.id, timeout: worker.probeTimeout ?? .zero), isAlive: true, at: now)
      case .aging: accepts(worker, at: now)
      case .settling(let since, _): isSettled(worker, since: since, at: now)
      case .ready: break
      }
    }
  }

  private func known(_ id: WorkerID) -> Worker {
    guard let worker = unretired(id) else { preconditionFailure("news of a worker that was never ordered") }
    return worker
  }

  private mutating func set(_ stage: Worker.Stage, of worker: Worker) {
    var changed = worker
    changed.stage = stage
    store(changed)
  }

  /// Puts a changed worker into its place.
  private mutating func store(_ worker: Worker) {
    if slots[worker.id.slot].candidate?.id == worker.id {
      slots[worker.id.slot].candidate = worker
    } else {
      slots[worker.id.slot].current = .worker(worker)
    }
  }
}
