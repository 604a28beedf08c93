extension Supervisor {
  mutating func reloadRequested(by requester: Requester, at now: Instant) {
    switch phase {
    case .starting(var start):
      start.latched = true
      phase = .starting(start)
      order(.report(.reloadRequested(by: requester, latched: .start)))
    case .serving:
      order(.report(.reloadRequested(by: requester, latched: nil)))
      beginReload(at: now)
    case .reloading(var reload):
      reload.latched = true
      phase = .reloading(reload)
      order(.report(.reloadRequested(by: requester, latched: .reload)))
    case .idle, .stopping, .stopped:
      // Before the start the newest release is about to be started anyway; after a stop nothing is.
      break
    }
  }

  mutating func beginReload(at now: Instant) {
    newest = Generation(number: newest.number + 1)
    phase = .reloading(Reload(generation: newest, began: now))
    order(.announce(.reloading))
    askForTime(at: now)
    order(.report(.reloadBegan(newest)))
    for index in slots.indices {
      switch slots[index].current {
      case .backingOff: slots[index].current = .vacant  // Its candidate is on its way.
      case .vacant, .worker: break
      }
    }
    order(.prepare(newest))
  }

  mutating func generationPrepared(_ generation: Generation, at now: Instant) {
    switch phase {
    case .reloading(let reload):
      precondition(reload.generation == generation && reload.stage == .preparing, "prepared out of turn")
      startBatch(of: reload, at: now)
    case .idle, .starting, .serving, .stopping, .stopped:
      break  // A stop came first.
    }
  }

  mutating func generationNotPrepared(_ generation: Generation, _ reason: String, at now: Instant) {
    switch phase {
    case .reloading(let reload):
      precondition(reload.generation == generation && reload.stage == .preparing, "prepared out of turn")
      failReload(reload, .notPrepared(reason: reason), at: now)
    case .idle, .starting, .serving, .stopping, .stopped:
      break  // A stop came first.
    }
  }

  private mutating func startBatch(of reload: Reload, at now: Instant) {
    var reload = reload
    // Written so that a surge of Int.max can't overflow.
    let batch = reload.moved..<(reload.moved + min(settings.surge, slots.count - reload.moved))
    reload.stage = .starting(batch: batch)
    phase = .reloading(reload)
    for index in batch { slots[index].candidate = spawn(slot: index, generation: reload.generation, at: now) }
  }

  /// A candidate got ready: if it was its batch's last, the batch is observed from now on.
  mutating func candidateReady(at now: Instant) {
    guard case .reloading(var reload) = phase, case .starting(let batch) = reload.stage else {
      preconditionFailure("a candidate gets ready only while its batch starts")
    }
    guard slots[batch].allSatisfy({ $0.candidate?.isReady == true }) else { return }
    if settings.settle == .zero { return takeOver(batch, of: reload, at: now) }
    reload.stage = .settling(batch: batch, until: now + settings.settle)
    phase = .reloading(reload)
  }

  /// The moment in which a batch of candidates becomes current.
  mutating func takeOver(_ batch: Range<Int>, of reload: Reload, at now: Instant) {
    var reload = reload
    var drains: [Effect] = []
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
    reload.moved = batch.upperBound
    if reload.moved < slots.count {
      startBatch(of: reload, at: now)
    } else {
      order(.report(.reloadSucceeded(reload.generation, after: now - reload.began)))
      order(.announce(.ready))
      serve(reloading: reload.latched, at: now)
    }
  }

  /// The reload is given up. Its candidates may be serving, so they drain like any retiree; slots that moved stay moved.
  mutating func failReload(_ reload: Reload, _ failure: Failure, at now: Instant) {
    var drains: [Effect] = []
    for index in slots.indices {
      guard let candidate = slots[index].candidate else { continue }
      slots[index].candidate = nil
      retire(candidate, at: now)
      drains.append(.report(.drainBegan(candidate.id, timeout: settings.drainTimeout)))
    }
    order(
      .report(
        .reloadFailed(
          reload.generation, failure, after: now - reload.began, serving: serving, moved: reload.moved,
          slots: slots.count)))
    order(.announce(.ready))
    orders += drains
    serve(reloading: reload.latched, at: now)
  }
}
