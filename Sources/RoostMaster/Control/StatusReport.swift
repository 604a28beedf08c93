import Glibc
import RoostControl
import RoostCore

extension Master {
  var statusReport: ServiceStatus {
    ServiceStatus(
      name: configuration.name, pid: getpid(), version: Version.number, phase: servicePhase,
      condition: supervisor.condition, trouble: trouble, generation: supervisor.serving.number,
      candidate: supervisor.reload?.generation.number, workersWanted: supervisor.desiredWorkers, started: started,
      divergence: divergenceReport, waiting: waitingReports, workers: workerReports, obstacles: obstacleReports,
      listeners: listeners.all.map(report), outsiders: outsiders.reports, metrics: metricsServer?.report,
      sawAllProcesses: outsiders.sawAll, lastReload: clients.lastReload)
  }

  var servicePhase: ServicePhase {
    switch (supervisor.phase, supervisor.condition) {
    case (.idle, _): .starting
    case (.starting(let start), .down) where start.failures > 0: .down
    case (.starting, _): .starting
    case (.serving, .whole): .serving
    case (.serving, .degraded): .degraded
    case (.serving, .down): .down
    case (.reloading, _): .reloading
    case (.stopping, _), (.stopped, _): .stopping
    }
  }

  /// What is wrong now, in words.
  var trouble: String? {
    switch supervisor.phase {
    case .starting(let start) where start.failures > 0: return troubles.start
    case .reloading(let reload) where reload.start != nil: return troubles.start
    case .stopping, .stopped: return verdict == .startFailed || isStartFailed ? troubles.start : nil
    case .idle, .starting, .serving, .reloading: break
    }
    guard let divergence = supervisor.divergence else { return firstLoss }
    let reason = troubles.start.map { ": \($0)" } ?? ""
    let what =
      switch divergence {
      // What has failed is told beside it.
      case .reloadFailed: recorded.map { "\($0) serves, not what is configured" }
      case .fellBack: recorded.map { "fell back to \($0), not what is configured\(reason)" }
      case .rolledBack: recorded.map { "\($0) serves, not what is configured\(reason)" }
      }
    return [firstLoss, what].compactMap(\.self).joined(separator: "; ").nonempty
  }

  private var isStartFailed: Bool {
    if case .stopping(let stop) = supervisor.phase { return stop.verdict == .startFailed }
    return false
  }

  /// What serves, where that isn't what is configured.
  private var recorded: String? {
    words.recorded(supervisor.servingOrigin)
  }

  /// Why somebody is missing.
  private var firstLoss: String? {
    guard supervisor.condition != .whole else { return nil }
    let missing = supervisor.slots.indices.filter { !supervisor.slots[$0].isServed }
    if let lost = missing.lazy.compactMap({ self.troubles.losses[$0] }).first { return lost.reason }
    let isStopped = missing.contains { supervisor.slots[$0].worker?.stopped != nil }
    return isStopped ? "a signal has stopped a worker" : nil
  }

  private var divergenceReport: ServiceStatus.Divergence? {
    switch supervisor.divergence {
    case .reloadFailed: .reloadFailed
    case .fellBack: .fellBack
    case .rolledBack: .rolledBack
    case nil: nil
    }
  }

  /// The slots that have nobody, or somebody who isn't ready although one before him has failed.
  private var waitingReports: [ServiceStatus.Waiting] {
    let now = now
    return supervisor.slots.indices.compactMap { index in
      let slot = supervisor.slots[index]
      let isStopped = slot.worker?.stopped != nil
      let loss = isStopped ? SlotLoss(reason: "a signal has stopped its worker", lastWords: []) : troubles.losses[index]
      guard !slot.isServed, slot.emptyBy == nil, loss != nil || slot.worker == nil else { return nil }
      var left: Duration?
      if case .waiting(let until, _) = slot.current { left = until - now }
      return ServiceStatus.Waiting(
        slot: index, reason: loss?.reason, lastWords: loss?.lastWords ?? [],
        millisecondsLeft: left.map { max(0, $0.wholeMilliseconds) })
    }
  }

  private var workerReports: [ServiceStatus.Worker] {
    var reports: [ServiceStatus.Worker?] = []
    let now = now
    for slot in supervisor.slots {
      if let worker = slot.worker {
        reports.append(report(worker.id, .current, state(worker, of: slot), left: slot.emptyBy.map { $0 - now }))
      }
      if let worker = slot.candidate { reports.append(report(worker.id, .candidate, state(worker, of: slot))) }
    }
    for retiree in supervisor.retirees {
      switch retiree.stage {
      case .emptying(let until): reports.append(report(retiree.id, .retiree, .emptying, left: until - now))
      case .draining(let until): reports.append(report(retiree.id, .retiree, .draining, left: until - now))
      case .remains(let until): reports.append(report(retiree.id, .retiree, .remains, left: until - now))
      case .killed: reports.append(report(retiree.id, .retiree, .killed))
      }
    }
    return reports.compactMap(\.self)
  }

  /// The generations whose workers would be restarted if they were lost, and can't be.
  private var obstacleReports: [ServiceStatus.Obstacle] {
    let workers = supervisor.slots.flatMap(\.workers)
    return Set(workers.map(\.id.generation)).sorted().compactMap { generation in
      guard let reason = releases[generation]?.obstacle(mayHang: mounts.mayHang) else { return nil }
      return ServiceStatus.Obstacle(generation: generation.number, reason: reason)
    }
  }

  private func state(_ worker: Worker, of slot: Slot) -> ServiceStatus.Worker.State {
    guard worker.isReady else { return .starting }
    return slot.emptyBy == nil ? .ready : .emptying
  }

  private func report(
    _ id: WorkerID, _ role: ServiceStatus.Worker.Role, _ state: ServiceStatus.Worker.State, left: Duration? = nil
  ) -> ServiceStatus.Worker? {
    // Between its order and its start there is none.
    guard let process = workers.process(id) else { return nil }
    let usage = ProcessUsage(of: process.pid)
    let seen = workers.retirees.sight(of: id)
    // A retiree is let go on with its stop signal; whoever stops it again keeps it from draining, and not for long.
    let isStopped = usage?.isStopped == true && role != .retiree
    return ServiceStatus.Worker(
      pid: process.pid, slot: id.slot, generation: id.generation.number, role: role,
      state: isStopped ? .stopped : state, started: process.started, restarts: troubles.restarts(slot: id.slot),
      memoryBytes: usage?.memoryBytes, cpuMilliseconds: usage?.cpuMilliseconds, status: process.statusText,
      millisecondsLeft: left.map { max(0, $0.wholeMilliseconds) }, accepts: seen?.sight.accepts,
      connections: seen?.sight.connections, peers: seen?.sight.peers ?? [], looked: seen?.looked)
  }

  private func report(_ listener: Listener) -> ServiceStatus.Listener {
    listener.sampleQueue()
    return ServiceStatus.Listener(
      name: listener.name, address: listener.address, queued: listener.queue.now?.queued,
      limit: listener.queue.now?.limit, peak: listener.queue.peak, dropped: listener.queue.dropped,
      unreachable: listener.obstacle)
  }
}

extension String {
  fileprivate var nonempty: String? { isEmpty ? nil : self }
}
