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
  let generation: Int
  let candidate: Int?
  let workersWanted: Int
  let started: Int
  let workers: [Worker]
  let listeners: [Listener]
  let outsiders: [Outsider]
  /// Whether there may be others.
  let hasUnseenProcesses: Bool
  let lastReload: (succeeded: Bool, message: String, ended: Int)?

  init(_ json: JSON) {
    self.json = json
    name = json.string("name") ?? "?"
    pid = json.integer("pid") ?? 0
    phase = json.string("phase") ?? "?"
    generation = json.integer("generation") ?? 0
    candidate = json.integer("candidate")
    workersWanted = json.integer("workersWanted") ?? 0
    started = json.integer("started") ?? 0
    workers = json.array("workers").map(Worker.init)
    listeners = json.array("listeners").map(Listener.init)
    outsiders = json.array("outsiders").map(Outsider.init)
    hasUnseenProcesses = json["sawAllProcesses"] == false
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
