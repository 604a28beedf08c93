extension Supervisor {
  /// A worker accepts, and is asked now whether it serves well.
  mutating func beginProbe(_ worker: Worker, within timeout: Duration, at now: Instant) {
    var probed = worker
    probed.stage = .probing(until: now + timeout)
    store(probed)
    order(.probe(worker.id))
  }

  mutating func probeSucceeded(_ id: WorkerID, at now: Instant) {
    // An answer may come after the worker was given up.
    guard let worker = unretired(id) else { return }
    switch worker.stage {
    case .probing: becomesReady(worker, at: now)
    case .starting, .aging, .ready: break
    }
  }

  /// Whether the answer to a worker's probe is awaited.
  public func isProbing(_ id: WorkerID) -> Bool {
    switch unretired(id)?.stage {
    case .probing: true
    case .starting, .aging, .ready, nil: false
    }
  }

  /// Whether a worker is one that is going to be probed, or is probed now.
  public func awaitsProbe(_ id: WorkerID) -> Bool {
    guard let worker = unretired(id), worker.probeTimeout != nil else { return false }
    return !worker.isReady
  }
}
