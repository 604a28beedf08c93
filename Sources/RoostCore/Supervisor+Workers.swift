extension Supervisor {
  mutating func workerReady(_ id: WorkerID, at now: Instant) {
    // A retiree's word comes too late to matter.
    guard let worker = unretired(id) else { return }
    switch worker.stage {
    case .starting: accepts(worker, at: now)
    case .aging, .probing, .ready: break  // Who is to prove itself by age can't get ready by word, and nobody twice.
    }
  }

  /// A current worker or a candidate got ready, by word or by age.
  mutating func accepts(_ worker: Worker, at now: Instant) {
    order(.restoreBacklog)
    if let timeout = worker.probeTimeout {
      beginProbe(worker, within: timeout, at: now)
    } else {
      becomesReady(worker, at: now)
    }
  }

  /// A worker accepts, and has passed its probe if it has one.
  mutating func becomesReady(_ worker: Worker, at now: Instant) {
    var ready = worker
    ready.stage = .ready(since: now)
    store(ready)
    order(.report(.workerReady(worker.id, after: now - worker.started)))
    if slots[worker.id.slot].candidate?.id == worker.id { return candidateReady(at: now) }
    switch phase {
    case .starting(let start): completeStart(start, at: now)
    case .serving, .reloading: break  // It replaces a lost one.
    case .idle, .stopping, .stopped: preconditionFailure("no current worker in this phase")
    }
  }

  /// Puts a changed worker into its place.
  mutating func store(_ worker: Worker) {
    if slots[worker.id.slot].candidate?.id == worker.id {
      slots[worker.id.slot].candidate = worker
    } else {
      slots[worker.id.slot].current = .worker(worker)
    }
  }

  /// Whether a worker has still to say that it is ready.
  public func isAwaitingReadiness(of id: WorkerID) -> Bool {
    switch unretired(id)?.stage {
    case .starting: true
    case .aging, .probing, .ready, nil: false
    }
  }

  /// The current worker or candidate of this identity.
  func unretired(_ id: WorkerID) -> Worker? {
    guard slots.indices.contains(id.slot) else { return nil }
    return [slots[id.slot].worker, slots[id.slot].candidate].compactMap(\.self).first { $0.id == id }
  }

  mutating func workerStopped(_ id: WorkerID, at now: Instant) {
    guard var worker = unretired(id), worker.stopped == nil else { return }
    worker.stopped = now
    guard case .reloading(let reload) = phase, case .settling(let batch, _) = reload.stage,
      batch.contains(id.slot), slots[id.slot].candidate?.id == id
    else { return store(worker) }
    worker.stops = (worker.stops ?? 0) + 1
    store(worker)
    // It would be observed for ever.
    if worker.stops == Self.mostStops { failReload(reload, .stopped(id), at: now) }
  }

  /// What a candidate was to be observed for begins anew: it hasn't served meanwhile.
  mutating func workerContinued(_ id: WorkerID, at now: Instant) {
    guard var worker = unretired(id), worker.stopped != nil else { return }
    worker.stopped = nil
    store(worker)
    guard case .reloading(var reload) = phase, case .settling(let batch, _) = reload.stage,
      batch.contains(id.slot), slots[id.slot].candidate?.id == id
    else { return }
    reload.stage = .settling(batch: batch, until: now + reload.settings.settle)
    phase = .reloading(reload)
  }

  mutating func workerAskedForTime(_ id: WorkerID, _ duration: Duration, at now: Instant) {
    let wanted = now + duration
    if let index = retireeIndex(id) {
      switch retirees[index].stage {
      case .draining(let until): retirees[index].stage = .draining(until: max(until, wanted))
      case .remains, .killed: break
      }
    } else if slots.indices.contains(id.slot) {
      if var worker = slots[id.slot].worker, worker.id == id {
        worker.extend(until: wanted)
        slots[id.slot].current = .worker(worker)
      } else if slots[id.slot].candidate?.id == id {
        slots[id.slot].candidate?.extend(until: wanted)
      }
    }
  }

  mutating func workerExited(_ id: WorkerID, _ cause: ExitCause, remains: Bool, at now: Instant) {
    if let index = retireeIndex(id) {
      let retiree = retirees.remove(at: index)
      order(.report(.drainEnded(id, cause, after: now - retiree.told, killed: retiree.stage == .killed)))
      if remains { stopRemains(of: id, killed: retiree.stage == .killed, at: now) }
      exitIfAllReaped()
      return
    }
    if remains { stopRemains(of: id, killed: false, at: now) }
    if let worker = slots[id.slot].worker, worker.id == id {
      slots[id.slot].current = .vacant
      if cause == .exited(status: 0), recycles(worker, at: now) { return }
      currentLost(worker, .exited(id, cause, worker.moment(at: now)), at: now)
    } else if let candidate = slots[id.slot].candidate, candidate.id == id {
      slots[id.slot].candidate = nil
      candidateLost(.exited(id, cause, candidate.isReady ? .settling : .starting), at: now)
    } else {
      preconditionFailure("an exit of a worker that was never started")
    }
  }

  mutating func workerNotStarted(_ id: WorkerID, _ reason: String, at now: Instant) {
    let failure = Failure.notStarted(id, reason: reason)
    if let index = retireeIndex(id) {
      // Between its order and this news another candidate of its batch has failed.
      retirees.remove(at: index)
      exitIfAllReaped()
    } else if let worker = slots[id.slot].worker, worker.id == id {
      slots[id.slot].current = .vacant
      currentLost(worker, failure, at: now)
    } else if slots[id.slot].candidate?.id == id {
      slots[id.slot].candidate = nil
      candidateLost(failure, at: now)
    } else {
      preconditionFailure("news of a worker that was never ordered")
    }
  }

  mutating func candidateLost(_ failure: Failure, at now: Instant) {
    switch phase {
    case .reloading(let reload): failReload(reload, failure, at: now)
    case .idle, .starting, .serving, .stopping, .stopped: preconditionFailure("a candidate without a reload")
    }
  }

  /// A slot has lost its current worker and is vacant.
  mutating func currentLost(_ worker: Worker, _ failure: Failure, at now: Instant) {
    let index = worker.id.slot
    if worker.servedLongEnough(settings.backoff, at: now) { slots[index].failures = 0 }
    slots[index].failures += 1
    switch phase {
    case .starting(let start):
      startDisturbed(start, by: worker, failure, at: now)
    case .serving:
      replaceLost(worker, failure, at: now)
      probationDisturbed(by: worker, at: now)
    case .reloading(let reload):
      if slots[index].candidate != nil {
        order(.report(.workerLost(worker.id, failure, then: .awaitsCandidate)))
        probationDisturbed(by: worker, at: now)
      } else if index < reload.moved {
        // A release that dies after it has taken over is as bad as one that dies before: it gets no more slots. That
        // there is nobody in this one any more is seen to when the reload has ended.
        let delay = settings.backoff.delay(afterFailures: slots[index].failures)
        order(.report(.workerLost(worker.id, failure, then: .another(after: delay))))
        failReload(reload, failure, at: now)
      } else {
        // Its candidate may be long in coming: a hook, or all the slots before it, come first.
        replaceLost(worker, failure, at: now)
        probationDisturbed(by: worker, at: now)
      }
    case .idle, .stopping, .stopped:
      preconditionFailure("no current worker in this phase")
    }
  }

  private mutating func replaceLost(_ worker: Worker, _ failure: Failure, at now: Instant) {
    let index = worker.id.slot
    replace(slot: index, at: now)
    let delay = settings.backoff.delay(afterFailures: slots[index].failures)
    order(.report(.workerLost(worker.id, failure, then: .another(after: delay))))
  }

  /// Starts another worker in a vacant slot, at once or after the backoff.
  mutating func replace(slot index: Int, at now: Instant) {
    let delay = settings.backoff.delay(afterFailures: slots[index].failures)
    if delay == .zero {
      slots[index].current = .worker(
        spawn(slot: index, generation: serving, settings, probed: hasNeverServed, at: now))
    } else {
      slots[index].current = .backingOff(until: now + delay)
    }
  }
}

extension Worker {
  mutating func extend(until wanted: Instant) {
    switch stage {
    case .starting(let until): stage = .starting(until: max(until, wanted))
    case .aging, .probing, .ready: break
    }
  }

  func moment(at now: Instant) -> Failure.Moment {
    switch stage {
    case .starting, .aging, .probing: .starting
    case .ready(let since): .serving(now - since)
    }
  }

  func servedLongEnough(_ backoff: Backoff, at now: Instant) -> Bool {
    switch stage {
    case .starting, .aging, .probing: false
    case .ready(let since): now - since >= backoff.forgivenAfter
    }
  }
}
