import Glibc
import RoostCore
import RoostJSON
import RoostMetrics

extension Master {
  /// The `Service` of docs/control.md.
  var statusReport: JSON {
    [
      "name": .string(configuration.name),
      "pid": .integer(Int(getpid())),
      "version": .string(Version.number),
      "phase": .string(servicePhase.rawValue),
      "condition": .string(supervisor.condition.rawValue),
      "trouble": trouble.map(JSON.string) ?? .null,
      "generation": .integer(supervisor.serving.number),
      "candidate": (supervisor.reload?.generation.number).map(JSON.integer) ?? .null,
      "workersWanted": .integer(supervisor.desiredWorkers),
      "started": .integer(started),
      "divergence": divergenceReport,
      "waiting": .array(waitingReports),
      "workers": .array(workerReports),
      "obstacles": .array(obstacleReports),
      "listeners": .array(listeners.all.map(report)),
      "outsiders": .array(outsiders.reports),
      "metrics": metricsServer?.report ?? .null,
      "sawAllProcesses": outsiders.sawAll.map(JSON.boolean) ?? .null,
      "lastReload": clients.lastReload?.json ?? .null,
    ]
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
    switch supervisor.servingOrigin {
    case .configuration: nil
    case .record(let generation): "what generation \(generation.number) ran"
    }
  }

  /// Why somebody is missing.
  private var firstLoss: String? {
    guard supervisor.condition != .whole else { return nil }
    let missing = supervisor.slots.indices.filter { !supervisor.slots[$0].isServed }
    if let lost = missing.lazy.compactMap({ self.troubles.losses[$0] }).first { return lost.reason }
    let isStopped = missing.contains { supervisor.slots[$0].worker?.stopped != nil }
    return isStopped ? "a signal has stopped a worker" : nil
  }

  private var divergenceReport: JSON {
    switch supervisor.divergence {
    case .reloadFailed: "reload_failed"
    case .fellBack: "fell_back"
    case .rolledBack: "rolled_back"
    case nil: .null
    }
  }

  /// The slots that have nobody, or somebody who isn't ready although one before him has failed.
  private var waitingReports: [JSON] {
    let now = now
    return supervisor.slots.indices.compactMap { index in
      let slot = supervisor.slots[index]
      let isStopped = slot.worker?.stopped != nil
      let loss = isStopped ? SlotLoss(reason: "a signal has stopped its worker", lastWords: []) : troubles.losses[index]
      guard !slot.isServed, slot.emptyBy == nil, loss != nil || slot.worker == nil else { return nil }
      var left: Duration?
      if case .waiting(let until, _) = slot.current { left = until - now }
      return [
        "slot": .integer(index), "reason": loss.map { .string($0.reason) } ?? .null,
        "lastWords": .array((loss?.lastWords ?? []).map(JSON.string)),
        "millisecondsLeft": left.map { .integer(max(0, $0.wholeMilliseconds)) } ?? .null,
      ]
    }
  }

  private var workerReports: [JSON] {
    var reports: [JSON?] = []
    let now = now
    for slot in supervisor.slots {
      if let worker = slot.worker {
        reports.append(report(worker.id, "current", state(worker, of: slot), left: slot.emptyBy.map { $0 - now }))
      }
      if let worker = slot.candidate { reports.append(report(worker.id, "candidate", state(worker, of: slot))) }
    }
    for retiree in supervisor.retirees {
      switch retiree.stage {
      case .emptying(let until): reports.append(report(retiree.id, "retiree", "emptying", left: until - now))
      case .draining(let until): reports.append(report(retiree.id, "retiree", "draining", left: until - now))
      case .remains(let until): reports.append(report(retiree.id, "retiree", "remains", left: until - now))
      case .killed: reports.append(report(retiree.id, "retiree", "killed"))
      }
    }
    return reports.compactMap(\.self)
  }

  /// The generations whose workers would be restarted if they were lost, and can't be.
  private var obstacleReports: [JSON] {
    let workers = supervisor.slots.flatMap(\.workers)
    return Set(workers.map(\.id.generation)).sorted().compactMap { generation in
      guard let reason = releases[generation]?.obstacle(mayHang: mounts.mayHang) else { return nil }
      return ["generation": .integer(generation.number), "reason": .string(reason)]
    }
  }

  private func state(_ worker: Worker, of slot: Slot) -> String {
    guard worker.isReady else { return "starting" }
    return slot.emptyBy == nil ? "ready" : "emptying"
  }

  private func report(_ id: WorkerID, _ role: String, _ state: String, left: Duration? = nil) -> JSON? {
    // Between its order and its start there is none.
    guard let process = workers.process(id) else { return nil }
    let usage = ProcessUsage(of: process.pid)
    let seen = workers.retirees.sight(of: id)
    return [
      "pid": .integer(Int(process.pid)),
      "slot": .integer(id.slot),
      "generation": .integer(id.generation.number),
      "role": .string(role),
      // A retiree is let go on with its stop signal; whoever stops it again keeps it from draining, and not for long.
      "state": .string(usage?.isStopped == true && role != "retiree" ? "stopped" : state),
      "started": .integer(process.started),
      "restarts": .integer(troubles.restarts(slot: id.slot)),
      "memoryBytes": usage.map { .integer($0.memoryBytes) } ?? .null,
      "cpuMilliseconds": usage.map { .integer($0.cpuMilliseconds) } ?? .null,
      "status": process.statusText.map(JSON.string) ?? .null,
      "millisecondsLeft": left.map { .integer(max(0, $0.wholeMilliseconds)) } ?? .null,
      "accepts": seen?.sight.accepts.map(JSON.boolean) ?? .null,
      "connections": seen?.sight.connections.map(JSON.integer) ?? .null,
      "peers": .array((seen?.sight.peers ?? []).map(JSON.string)),
      "looked": seen.map { .integer($0.looked) } ?? .null,
    ]
  }

  private func report(_ listener: Listener) -> JSON {
    listener.sampleQueue()
    return [
      "name": .string(listener.name),
      "address": .string(listener.address),
      "queued": listener.queue.now.map { .integer($0.queued) } ?? .null,
      "limit": listener.queue.now.map { .integer($0.limit) } ?? .null,
      "peak": .integer(listener.queue.peak),
      "dropped": listener.queue.dropped.map(JSON.integer) ?? .null,
      "unreachable": listener.obstacle.map(JSON.string) ?? .null,
    ]
  }
}

extension String {
  /// Nil of an empty one.
  fileprivate var nonempty: String? { isEmpty ? nil : self }
}
