import RoostJSON

/// What a master says of its service (docs/control.md).
struct ServiceStatus {
  struct Worker {
    let pid: Int
    let slot: Int
    let generation: Int
    let role: String
    let state: String
    let started: Int
    let restarts: Int
    let memoryBytes: Int?
    let cpuMilliseconds: Int?
    let status: String?
    let millisecondsLeft: Int?
    let accepts: Bool?
    let connections: Int?
    let peers: [String]
    let looked: Int?
  }

  /// A slot that has nobody who serves.
  struct Waiting {
    let slot: Int
    let reason: String?
    let lastWords: [String]
    let millisecondsLeft: Int?
  }

  /// A generation that couldn't be started again.
  struct Obstacle {
    let generation: Int
    let reason: String
  }

  struct Listener {
    let name: String
    let address: String
    let queued: Int?
    let limit: Int?
    let peak: Int
    let dropped: Int?
    let unreachable: String?
  }

  struct Outsider {
    let pid: Int
    let name: String
    let listeners: [String]
  }

  let json: JSON
  let name: String
  let pid: Int
  let phase: String
  /// Whether all slots have somebody who serves; nil where the master doesn't say, being of a former version.
  let condition: String?
  let trouble: String?
  /// Why something else serves than what is configured; nil where that serves.
  let divergence: String?
  let waiting: [Waiting]
  let generation: Int
  let candidate: Int?
  let workersWanted: Int
  let started: Int
  let workers: [Worker]
  let obstacles: [Obstacle]
  let listeners: [Listener]
  let outsiders: [Outsider]
  /// Whether there may be others.
  let hasUnseenProcesses: Bool
  /// Why metrics aren't served that should be, and how long until that is tried again.
  let metricsTrouble: (reason: String, millisecondsLeft: Int?)?
  let lastReload: (succeeded: Bool, message: String, ended: Int)?

  init(_ json: JSON) {
    self.json = json
    name = json.string("name") ?? "?"
    pid = json.integer("pid") ?? 0
    phase = json.string("phase") ?? "?"
    condition = json.string("condition")
    trouble = json.string("trouble")
    divergence = json.string("divergence")
    waiting = json.array("waiting").map(Waiting.init)
    generation = json.integer("generation") ?? 0
    candidate = json.integer("candidate")
    workersWanted = json.integer("workersWanted") ?? 0
    started = json.integer("started") ?? 0
    workers = json.array("workers").map(Worker.init)
    obstacles = json.array("obstacles").map {
      Obstacle(generation: $0.integer("generation") ?? 0, reason: $0.string("reason") ?? "?")
    }
    listeners = json.array("listeners").map(Listener.init)
    outsiders = json.array("outsiders").map(Outsider.init)
    hasUnseenProcesses = json["sawAllProcesses"] == false
    metricsTrouble = json["metrics"].flatMap { metrics in
      metrics.string("obstacle").map { ($0, metrics.integer("millisecondsLeft")) }
    }
    lastReload = json["lastReload"].flatMap { verdict in
      guard let message = verdict.string("message") else { return nil }
      return (verdict["succeeded"] == true, message, (verdict.integer("ended") ?? 0) / 1_000_000)
    }
  }
}

extension ServiceStatus.Worker {
  fileprivate init(_ json: JSON) {
    self.init(
      pid: json.integer("pid") ?? 0, slot: json.integer("slot") ?? 0, generation: json.integer("generation") ?? 0,
      role: json.string("role") ?? "?", state: json.string("state") ?? "?", started: json.integer("started") ?? 0,
      restarts: json.integer("restarts") ?? 0, memoryBytes: json.integer("memoryBytes"),
      cpuMilliseconds: json.integer("cpuMilliseconds"), status: json.string("status"),
      millisecondsLeft: json.integer("millisecondsLeft"),
      accepts: json["accepts"].flatMap { if case .boolean(let value) = $0 { value } else { nil } },
      connections: json.integer("connections"), peers: json.strings("peers"), looked: json.integer("looked"))
  }
}

extension ServiceStatus.Waiting {
  fileprivate init(_ json: JSON) {
    self.init(
      slot: json.integer("slot") ?? 0, reason: json.string("reason"), lastWords: json.strings("lastWords"),
      millisecondsLeft: json.integer("millisecondsLeft"))
  }
}

extension ServiceStatus {
  /// What `roost status` says by its exit status.
  var exitStatus: Int32 {
    switch condition {
    case "down": Failure.down
    case "degraded": Failure.notWhole
    default: divergence != nil || lastReload?.succeeded == false ? Failure.notWhole : 0
    }
  }
}

extension ServiceStatus.Outsider {
  fileprivate init(_ json: JSON) {
    self.init(
      pid: json.integer("pid") ?? 0, name: json.string("name") ?? "?",
      listeners: json.strings("listeners"))
  }
}

extension ServiceStatus.Listener {
  fileprivate init(_ json: JSON) {
    self.init(
      name: json.string("name") ?? "?", address: json.string("address") ?? "?", queued: json.integer("queued"),
      limit: json.integer("limit"), peak: json.integer("peak") ?? 0,
      dropped: json.integer("dropped"), unreachable: json.string("unreachable"))
  }
}

extension JSON {
  func string(_ name: String) -> String? {
    guard case .string(let value) = self[name] else { return nil }
    return value
  }

  func integer(_ name: String) -> Int? {
    guard case .integer(let value) = self[name] else { return nil }
    return value
  }

  func strings(_ name: String) -> [String] {
    array(name).compactMap { if case .string(let value) = $0 { value } else { nil } }
  }

  func array(_ name: String) -> [JSON] {
    guard case .array(let value) = self[name] else { return [] }
    return value
  }
}
