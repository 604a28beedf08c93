import RoostCore

/// The `Service` of `ControlInterface.description`, which explains the members. What a former version doesn't say is
/// optional, although this one always does.
package struct ServiceStatus: Codable, Hashable, Sendable {
  package enum Divergence: String, CaseIterable, Sendable {
    case reloadFailed = "reload_failed"
    case fellBack = "fell_back"
    case rolledBack = "rolled_back"
  }

  package let name: String
  package let pid: Int32
  package let version: String
  package let phase: Word<ServicePhase>
  package let condition: Word<Condition>?
  package let trouble: String?
  package let generation: Int
  package let candidate: Int?
  package let workersWanted: Int
  package let started: Int
  package let divergence: Word<Divergence>?
  package let waiting: [Waiting]?
  package let workers: [Worker]
  package let obstacles: [Obstacle]?
  package let listeners: [Listener]
  package let outsiders: [Outsider]?
  package let metrics: Metrics?
  package let sawAllProcesses: Bool?
  package let lastReload: ReloadVerdict?

  package init(
    name: String, pid: Int32, version: String, phase: ServicePhase, condition: Condition, trouble: String?,
    generation: Int, candidate: Int?, workersWanted: Int, started: Int, divergence: Divergence?, waiting: [Waiting],
    workers: [Worker], obstacles: [Obstacle], listeners: [Listener], outsiders: [Outsider], metrics: Metrics?,
    sawAllProcesses: Bool?, lastReload: ReloadVerdict?
  ) {
    (self.name, self.pid, self.version, self.phase) = (name, pid, version, Word(phase))
    (self.condition, self.trouble, self.generation, self.candidate) = (Word(condition), trouble, generation, candidate)
    (self.workersWanted, self.started, self.divergence) = (workersWanted, started, divergence.map(Word.init))
    (self.waiting, self.workers, self.obstacles, self.listeners) = (waiting, workers, obstacles, listeners)
    (self.outsiders, self.metrics, self.sawAllProcesses) = (outsiders, metrics, sawAllProcesses)
    self.lastReload = lastReload
  }
}

extension ServiceStatus {
  package struct Waiting: Codable, Hashable, Sendable {
    package let slot: Int
    package let reason: String?
    package let lastWords: [String]
    package let millisecondsLeft: Int?

    package init(slot: Int, reason: String?, lastWords: [String], millisecondsLeft: Int?) {
      (self.slot, self.reason, self.lastWords) = (slot, reason, lastWords)
      self.millisecondsLeft = millisecondsLeft
    }
  }

  package struct Worker: Codable, Hashable, Sendable {
    package enum Role: String, CaseIterable, Sendable {
      case current, candidate, retiree
    }

    package enum State: String, CaseIterable, Sendable {
      case starting, ready, stopped, emptying, draining, remains, killed
    }

    package let pid: Int32
    package let slot: Int
    package let generation: Int
    package let role: Word<Role>
    package let state: Word<State>
    package let started: Int
    package let restarts: Int
    package let memoryBytes: Int?
    package let cpuMilliseconds: Int?
    package let status: String?
    package let millisecondsLeft: Int?
    package let accepts: Bool?
    package let connections: Int?
    package let peers: [String]?
    package let looked: Int?

    package init(
      pid: Int32, slot: Int, generation: Int, role: Role, state: State, started: Int, restarts: Int, memoryBytes: Int?,
      cpuMilliseconds: Int?, status: String?, millisecondsLeft: Int?, accepts: Bool?, connections: Int?,
      peers: [String], looked: Int?
    ) {
      (self.pid, self.slot, self.generation, self.role, self.state) = (pid, slot, generation, Word(role), Word(state))
      (self.started, self.restarts, self.memoryBytes) = (started, restarts, memoryBytes)
      (self.cpuMilliseconds, self.status, self.millisecondsLeft) = (cpuMilliseconds, status, millisecondsLeft)
      (self.accepts, self.connections, self.peers, self.looked) = (accepts, connections, peers, looked)
    }
  }

  package struct Obstacle: Codable, Hashable, Sendable {
    package let generation: Int
    package let reason: String

    package init(generation: Int, reason: String) { (self.generation, self.reason) = (generation, reason) }
  }

  package struct Listener: Codable, Hashable, Sendable {
    package let name: String
    package let address: String
    package let queued: Int?
    package let limit: Int?
    package let peak: Int
    package let dropped: Int?
    package let unreachable: String?

    package init(
      name: String, address: String, queued: Int?, limit: Int?, peak: Int, dropped: Int?, unreachable: String?
    ) {
      (self.name, self.address, self.queued, self.limit, self.peak) = (name, address, queued, limit, peak)
      (self.dropped, self.unreachable) = (dropped, unreachable)
    }
  }

  package struct Outsider: Codable, Hashable, Sendable {
    package let pid: Int32
    package let name: String
    package let listeners: [String]

    package init(pid: Int32, name: String, listeners: [String]) {
      (self.pid, self.name, self.listeners) = (pid, name, listeners)
    }
  }

  package struct Metrics: Codable, Hashable, Sendable {
    package let address: String
    package let obstacle: String?
    package let millisecondsLeft: Int?

    package init(address: String, obstacle: String?, millisecondsLeft: Int? = nil) {
      (self.address, self.obstacle, self.millisecondsLeft) = (address, obstacle, millisecondsLeft)
    }
  }
}
