import RoostCore
import RoostMetrics

extension Master {
  func count(_ notice: Notice) {
    counters.count(notice, at: Clock.time())
    metricsServer?.forgetText()
  }

  /// What scrapers get.
  func metricsText(_ format: Exposition.Format) -> String {
    var snapshot = ServiceSnapshot(
      service: configuration.name, version: Version.number, started: started, phase: servicePhase,
      generation: supervisor.serving.number, workersWanted: supervisor.desiredWorkers)
    snapshot.isDiverged = supervisor.divergence != nil
    snapshot.counters = counters
    snapshot.restarts = supervisor.slots.indices.map { troubles.restarts(slot: $0) }
    addWorkers(to: &snapshot)
    for listener in listeners.all {
      listener.sampleQueue()
      let queue = listener.queue
      var shown = ServiceSnapshot.Listener(
        name: listener.name, address: listener.address, queued: queue.now?.queued, limit: queue.now?.limit,
        peak: queue.peak, dropped: queue.dropped)
      shown.isReachable = listener.obstacle == nil
      snapshot.add(shown)
    }
    snapshot.lastReloadDropped = clients.lastReload?.dropped
    snapshot.lastReloadPeak = clients.lastReload?.peakQueue
    return snapshot.text(format)
  }

  private func addWorkers(to snapshot: inout ServiceSnapshot) {
    for slot in supervisor.slots {
      for worker in slot.workers {
        let isStopped = add(worker, to: &snapshot)
        let role = worker.id == slot.candidate?.id ? \ServiceSnapshot.candidates : \ServiceSnapshot.current
        snapshot[keyPath: role].count(isReady: worker.isReady, isStopped: isStopped)
      }
    }
    snapshot.retirees = supervisor.retirees.count
    snapshot.retireesAccepting = workers.retirees.accepting
    for retiree in supervisor.retirees {
      guard let process = workers.process(retiree.id), let usage = ProcessUsage(of: process.pid) else { continue }
      snapshot.retireesMemoryBytes += usage.memoryBytes
    }
  }

  /// Adds what a worker uses. Returns whether it is stopped.
  private func add(_ worker: Worker, to snapshot: inout ServiceSnapshot) -> Bool {
    guard let process = workers.process(worker.id), let usage = ProcessUsage(of: process.pid) else { return false }
    snapshot.workers.append(
      ServiceSnapshot.Worker(
        slot: worker.id.slot, generation: worker.id.generation.number, memoryBytes: usage.memoryBytes,
        cpuMilliseconds: usage.cpuMilliseconds))
    return usage.isStopped
  }
}
