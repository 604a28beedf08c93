extension Supervisor {
  /// Acts on every deadline that has come. One that is set by this is looked at when it comes.
  mutating func timePassed(at now: Instant) {
    for index in slots.indices {
      // A failed start or reload on the way may have emptied the slots.
      guard slots.indices.contains(index) else { break }
      workerDeadlines(slot: index, at: now)
    }
    switch phase {
    case .reloading(let reload):
      switch reload.stage {
      case .settling(let batch, let until) where until <= now: takeOverUnlessStopped(batch, of: reload, at: now)
      case .preparing(let until) where until <= now: preparationTimedOut(reload, at: now)
      case .settling, .preparing, .awaitingHook, .starting: break
      }
    case .starting(let start): startDeadline(start, at: now)
    case .serving: removeOverdueSlots(at: now)
    case .idle, .stopping, .stopped: break
    }
    switch phase {
    case .serving, .reloading: prove(at: now)
    case .idle, .starting, .stopping, .stopped: break
    }
    killOverdueHooks(at: now)
    killOverdue(at: now)
    if let renewal = extensionRenewal, renewal <= now { askForTime(at: now) }
  }

  private mutating func workerDeadlines(slot index: Int, at now: Instant) {
    switch slots[index].current {
    case .vacant: break
    case .backingOff(let until):
      if until <= now {
        slots[index].current = .worker(
          spawn(slot: index, generation: serving, settings, probed: hasNeverServed, at: now))
      }
    case .worker(let worker):
      currentDeadline(worker, at: now)
    }
    guard slots.indices.contains(index), let candidate = slots[index].candidate else { return }
    candidateDeadline(candidate, at: now)
  }

  private mutating func currentDeadline(_ worker: Worker, at now: Instant) {
    guard let deadline = worker.deadline, deadline <= now else { return }
    switch worker.stage {
    case .starting:
      slots[worker.id.slot].current = .vacant
      retire(worker, at: now)
      currentLost(worker, .notReady(worker.id, timeout: deadline - worker.started), at: now)
    case .probing:
      slots[worker.id.slot].current = .vacant
      retire(worker, at: now)
      currentLost(worker, .probeFailed(worker.id, timeout: worker.probeTimeout ?? .zero), at: now)
    case .aging:
      accepts(worker, at: now)
    case .ready:
      break
    }
  }

  private mutating func candidateDeadline(_ candidate: Worker, at now: Instant) {
    guard let deadline = candidate.deadline, deadline <= now else { return }
    switch candidate.stage {
    case .starting:
      // It is still a candidate, so it retires with the others.
      candidateLost(.notReady(candidate.id, timeout: deadline - candidate.started), at: now)
    case .probing:
      candidateLost(.probeFailed(candidate.id, timeout: candidate.probeTimeout ?? .zero), at: now)
    case .aging:
      accepts(candidate, at: now)
    case .ready:
      break
    }
  }
}
