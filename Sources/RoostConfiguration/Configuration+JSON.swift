import RoostCore
import RoostJSON

/// The form in which a validated configuration reaches the master. Durations are whole milliseconds.
extension Configuration {
  /// The configuration as JSON.
  public var json: JSON {
    [
      "name": .string(name),
      "command": .array(command.map(JSON.string)),
      "listeners": .array(
        listeners.map { ["name": .string($0.name), "address": $0.address.json] }),
      "backlog": .integer(Int(backlog)),
      "ready": .string(readinessChannel.rawValue),
      "stopSignal": .integer(Int(stopSignal.number)),
      "pidFile": pidFile.map(JSON.string) ?? .null,
      "allowWorkerReload": .boolean(allowsWorkerReload),
      "settings": settings.json,
    ]
  }

  /// Reads what `json` wrote.
  public init(json: JSON) throws(ConfigurationError) {
    var listeners: [ListenerConfiguration] = []
    for listener in try json.array("listeners") {
      let address = try Address(json: listener.member("address"))
      listeners.append(ListenerConfiguration(name: try listener.string("name"), address: address))
    }
    var command: [String] = []
    for argument in try json.array("command") {
      guard case .string(let argument) = argument else { throw ConfigurationError("'command' isn't made of strings") }
      command.append(argument)
    }
    guard let channel = ReadinessChannel(rawValue: try json.string("ready")) else {
      throw ConfigurationError("'ready' is unknown")
    }
    self.init(
      name: try json.string("name"), command: command, listeners: listeners,
      backlog: Int32(truncatingIfNeeded: try json.integer("backlog")), readinessChannel: channel,
      stopSignal: try StopSignal(number: json.integer("stopSignal")),
      pidFile: json["pidFile"] == .null ? nil : try json.string("pidFile"),
      allowsWorkerReload: try json.boolean("allowWorkerReload"),
      settings: try Settings(json: json.member("settings")))
  }
}

/// In parts: the master takes no text apart.
extension Address {
  fileprivate var json: JSON {
    switch self {
    case .tcp(.any, let port): ["port": .integer(Int(port))]
    case .tcp(.ipv4(let host), let port): ["ipv4": .string(host), "port": .integer(Int(port))]
    case .tcp(.ipv6(let host), let port): ["ipv6": .string(host), "port": .integer(Int(port))]
    case .unix(let path): ["unix": .string(path)]
    case .systemd(let name): ["systemd": .string(name)]
    }
  }

  fileprivate init(json: JSON) throws(ConfigurationError) {
    if json["unix"] != nil {
      self = .unix(path: try json.string("unix"))
    } else if json["systemd"] != nil {
      self = .systemd(name: try json.string("systemd"))
    } else {
      let host: Host =
        if json["ipv4"] != nil {
          .ipv4(try json.string("ipv4"))
        } else if json["ipv6"] != nil {
          .ipv6(try json.string("ipv6"))
        } else {
          .any
        }
      guard let port = UInt16(exactly: try json.integer("port")) else { throw ConfigurationError("'port' is no port") }
      self = .tcp(host, port: port)
    }
  }
}

extension Settings {
  fileprivate var json: JSON {
    let readiness: JSON =
      switch readiness {
      case .reported(let timeout): ["timeout": .integer(timeout.wholeMilliseconds)]
      case .alive(let age): ["age": .integer(age.wholeMilliseconds)]
      }
    return [
      "workers": .integer(workers),
      "surge": .integer(surge),
      "readiness": readiness,
      "startAttempts": .integer(startAttempts),
      "settle": .integer(settle.wholeMilliseconds),
      "drainTimeout": .integer(drainTimeout.wholeMilliseconds),
    ]
  }

  fileprivate init(json: JSON) throws(ConfigurationError) {
    let readiness = try json.member("readiness")
    self.init(
      workers: try json.integer("workers"), surge: try json.integer("surge"),
      readiness: readiness["age"] == nil
        ? .reported(timeout: try readiness.duration("timeout")) : .alive(after: try readiness.duration("age")),
      startAttempts: try json.integer("startAttempts"), settle: try json.duration("settle"),
      drainTimeout: try json.duration("drainTimeout"))
  }
}

extension JSON {
  fileprivate func member(_ name: String) throws(ConfigurationError) -> JSON {
    guard let value = self[name] else { throw ConfigurationError("'\(name)' is missing") }
    return value
  }

  fileprivate func string(_ name: String) throws(ConfigurationError) -> String {
    guard case .string(let value) = try member(name) else { throw ConfigurationError("'\(name)' is no string") }
    return value
  }

  fileprivate func integer(_ name: String) throws(ConfigurationError) -> Int {
    guard case .integer(let value) = try member(name) else { throw ConfigurationError("'\(name)' is no number") }
    return value
  }

  fileprivate func boolean(_ name: String) throws(ConfigurationError) -> Bool {
    guard case .boolean(let value) = try member(name) else { throw ConfigurationError("'\(name)' is no boolean") }
    return value
  }

  fileprivate func array(_ name: String) throws(ConfigurationError) -> [JSON] {
    guard case .array(let value) = try member(name) else { throw ConfigurationError("'\(name)' is no array") }
    return value
  }

  fileprivate func duration(_ name: String) throws(ConfigurationError) -> Duration {
    .milliseconds(try integer(name))
  }
}
