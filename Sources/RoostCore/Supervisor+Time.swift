extension Supervisor {
  /// Acts on every deadline that has come. A deadline that is set here is looked at when it comes.
  mutating func timePassed(at now: Instant) {
    for index in slots.indices {
      // A failed start or reload on the way may have emptied the slots.
      guard slots.indices.contains(index) else { break }
      workerDeadlines(slot: index, at: now)
    }
    switch phase {
    case .reloading(let reload):
      if let until = reload.deadline, until <= now { preparationTimedOut(reload, at: now) }
    case .starting(let start): startDeadline(start, at: now)
    case .serving: removeOverdueSlots(at: now)
    case .idle, .stopping, .stopped: break
    }
    switch phase {
    case .serving, .reloading: prove(at: now)
    case .idle, .starting, .stopping, .stopped: break
    }
    killOverdueHooks(at: now)
    retireeDeadlines(at: now)
    proofDeadline(at: now)
    if let renewal = extensionRenewal, renewal <= now { askForTime(at: now) }
  }

  /// Nothing ran for this long, and the clock stood still. systemd's may not have.
  mutating func stalled(for missed: Duration, at now: Instant) {
    report(.stalled(missed))
    if extensionRenewal != nil { askForTime(at: now) }
  }
}
