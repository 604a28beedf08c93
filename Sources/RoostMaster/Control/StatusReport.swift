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
      "generation": .integer(supervisor.serving.number),
      "candidate": candidateGeneration.map(JSON.integer) ?? .null,
      "workersWanted": .integer(supervisor.desiredWorkers),
      "started": .integer(started),
      "workers": .array(workerReports),
      "listeners": .array(listeners.map(report)),
      "outsiders": .array(outsiderReports),
      "sawAllProcesses": outsiders.sawAll.map(JSON.boolean) ?? .null,
      "lastReload": lastReload?.json ?? .null,
    ]
  }

  var servicePhase: ServicePhase {
    switch supervisor.phase {
    case .idle, .starting: .starting
    case .serving: .serving
    case .reloading: .reloading
    case .stopping, .stopped: .stopping
    }
  }

  private var candidateGeneration: Int? {
    guard case .reloading(let reload) = supervisor.phase else { return nil }
    return reload.generation.number
  }

  private var workerReports: [JSON] {
    var reports: [JSON?] = []
    let now = Clock.now()
    for slot in supervisor.slots {
      if let worker = slot.worker {
        reports.append(report(worker.id, "current", state(worker, of: slot), left: slot.emptyBy.map { $0 - now }))
      }
      if let worker = slot.candidate { reports.append(report(worker.id, "candidate", state(worker, of: slot))) }
    }
    for retiree in supervisor.retirees {
      switch retiree.stage {
      case .draining(let until): reports.append(report(retiree.id, "retiree", "draining", left: until - now))
      case .remains(let until): reports.append(report(retiree.id, "retiree", "remains", left: until - now))
      case .killed: reports.append(report(retiree.id, "retiree", "killed"))
      }
    }
    return reports.compactMap(\.self)
  }

  private func state(_ worker: Worker, of slot: Slot) -> String {
    guard worker.isReady else { return "starting" }
    return slot.emptyBy == nil ? "ready" : "emptying"
  }

  private func report(_ id: WorkerID, _ role: String, _ state: String, left: Duration? = nil) -> JSON? {
    // Between its order and its start there is none.
    guard let process = process(id) else { return nil }
    let usage = ProcessUsage(of: process.pid)
    let seen = retireeWatch.sight(of: id)
    return [
      "pid": .integer(Int(process.pid)),
      "slot": .integer(id.slot),
      "generation": .integer(id.generation.number),
      "role": .string(role),
      // A retiree is let go on with its stop signal; whoever stops it again keeps it from draining, and not for long.
      "state": .string(usage?.isStopped == true && role != "retiree" ? "stopped" : state),
      "started": .integer(process.started),
      "restarts": .integer(restarts[id.slot] ?? 0),
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
