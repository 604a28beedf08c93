extension Supervisor {
  mutating func startRequested(at now: Instant) {
    switch phase {
    case .idle:
      phase = .starting(Start(began: now))
      askForTime(at: now)
      for index in 0..<slotsAtStart {
        let worker = spawn(slot: index, generation: serving, settings, probed: true, at: now)
        slots.append(Slot(current: .worker(worker)))
      }
      slotsAtStart = 1
    case .starting, .serving, .reloading, .stopping, .stopped:
      preconditionFailure("a service starts once")
    }
  }

  /// The start is complete as soon as every slot's worker is ready.
  mutating func completeStart(_ start: Start, at now: Instant) {
    guard slots.allSatisfy({ $0.worker?.isReady == true }) else { return }
    order(.report(.startSucceeded(serving, workers: slots.count, after: now - start.began)))
    order(.announce(.ready))
    serve(reloading: start.latched, at: now)
  }

  /// Nothing is pending any more: does what had to wait for that.
  mutating func serve(reloading latched: Bool, at now: Instant) {
    phase = .serving
    standStill()
    // Only after a failed reload: its candidates were to fill these, or have died in them.
    for index in slots.indices where slots[index].current == .vacant { replace(slot: index, at: now) }
    scaleToDesired(at: now)
    if latched { beginReload(at: now) }
  }

  /// The first generation is given up, and with it the service: one that never served must not look up.
  mutating func failStart(_ failure: Failure, at now: Instant) {
    order(.report(.startFailed(failure)))
    stop(.startFailed, at: now)
  }
}
