/// What others want to know of the supervisor.
extension Supervisor {
  /// Whether the service is being stopped, or is stopped.
  package var isStopping: Bool {
    switch phase {
    case .stopping, .stopped: true
    case .idle, .starting, .serving, .reloading: false
    }
  }

  package var reload: Reload? {
    if case .reloading(let reload) = phase { reload } else { nil }
  }

  /// The generations that serve, are to serve, or may get a worker.
  package var livingGenerations: Set<Generation> {
    var living: Set<Generation> = [serving]
    switch phase {
    case .reloading(let reload): living.insert(reload.generation)
    case .starting(let start):
      if case .preparing(let generation, _) = start.stage { living.insert(generation) }
    case .idle, .serving, .stopping, .stopped: break
    }
    return living.union(slots.flatMap(\.workers).map(\.id.generation))
  }

  /// The source of what a generation that is being prepared runs.
  package func origin(of generation: Generation) -> Origin {
    switch phase {
    case .reloading(let reload) where reload.generation == generation: reload.origin
    // While the service is started, only what it falls back to is prepared.
    case .starting: fallback.map { .record($0) } ?? .configuration
    case .idle, .serving, .reloading, .stopping, .stopped: .configuration
    }
  }

  /// The current worker or candidate with this identity.
  func unretired(_ id: WorkerID) -> Worker? {
    slots.indices.contains(id.slot) ? slots[id.slot].workers.first { $0.id == id } : nil
  }

  package func isAwaitingReadiness(of id: WorkerID) -> Bool {
    if case .starting = unretired(id)?.stage { true } else { false }
  }

  package func isProbing(_ id: WorkerID) -> Bool {
    if case .probing = unretired(id)?.stage { true } else { false }
  }

  /// Whether a worker is one that is going to be probed, or is probed now.
  package func awaitsProbe(_ id: WorkerID) -> Bool {
    unretired(id).map { $0.probeTimeout != nil && !$0.isReady } ?? false
  }
}
