import RoostCore
import RoostJSON

/// The form in which a validated configuration reaches the master. Durations are whole milliseconds.
extension Configuration {
  /// The configuration as JSON.
  public var json: JSON {
    [
      "name": .string(name),
      "listeners": .array(listeners.map(\.json)),
      "pidFile": pidFile.map(JSON.string) ?? .null,
      "control": control.map {
        ["directory": .string($0.directory), "group": JSON(optional: $0.group)]
      } ?? .null,
      "history": history.map { ["directory": .string($0.directory), "length": .integer($0.length)] } ?? .null,
      "metrics": metrics?.json ?? .null,
      "worker": worker.json,
      "settings": settings.json,
    ]
  }

  /// Reads what `json` wrote.
  public init(json: JSON) throws(ConfigurationError) {
    var listeners: [ListenerConfiguration] = []
    for listener in try json.array("listeners") { listeners.append(try ListenerConfiguration(json: listener)) }
    var control: ControlConfiguration?
    if let place = try json.optional("control") {
      control = ControlConfiguration(
        directory: try place.path("directory"), group: try place.optionalIdentifier("group"))
    }
    self.init(
      name: try ServiceName.validate(json.string("name")), listeners: listeners,
      pidFile: try json.optionalPath("pidFile"),
      control: control,
      history: try json.optional("history").map { history throws(ConfigurationError) in
        HistoryConfiguration(
          directory: try history.path("directory"), length: try history.integer("length", Limits.history))
      },
      metrics: try json.optional("metrics").map { address throws(ConfigurationError) in
        try Address(json: address)
      }, worker: try WorkerConfiguration(json: json.member("worker")),
      settings: try Settings(json: json.member("settings")))
    try checkConsistency()
  }
}

extension ListenerConfiguration {
  /// The listener as JSON.
  public var json: JSON {
    [
      "name": .string(name), "address": address.json, "backlog": .integer(Int(backlog)),
      "nonblocking": .boolean(isNonblocking), "ipv6Only": isIPv6Only.map(JSON.boolean) ?? .null,
      "freebind": .boolean(isFreebind), "reuseport": reuseport.map { .string($0.rawValue) } ?? .null,
      "mode": JSON(optional: mode), "user": JSON(optional: user), "group": JSON(optional: group),
    ]
  }

  /// Reads what `json` wrote.
  public init(json: JSON) throws(ConfigurationError) {
    self.init(
      name: try ListenerName.validate(json.string("name")), address: try Address(json: json.member("address")),
      backlog: Int32(try json.integer("backlog", Limits.backlog)))
    isNonblocking = try json.boolean("nonblocking")
    isIPv6Only = try json.optionalBoolean("ipv6Only")
    // A former version has written none.
    isFreebind = json["freebind"] == nil ? false : try json.boolean("freebind")
    reuseport = try json.optional("reuseport") == nil ? nil : try json.choice("reuseport")
    if reuseport != nil, !address.mayBeShared {
      throw ConfigurationError("'reuseport' of the listener \(name)=\(address) has no meaning")
    }
    mode = try json.optionalMode("mode")
    user = try json.optionalIdentifier("user")
    group = try json.optionalIdentifier("group")
  }
}

extension WorkerConfiguration {
  /// The workers' configuration as JSON.
  public var json: JSON {
    [
      "command": .array(command.map(JSON.string)),
      "argumentTemplates": .array(
        argumentTemplates.map { ["index": .integer($0.index), "template": $0.template.json] }),
      "variableTemplates": .array(
        variableTemplates.map { ["name": .string($0.name), "template": $0.template.json] }),
      "compatibility": .array(compatibility.map { .string($0.rawValue) }),
      "directory": directory.map(JSON.string) ?? .null,
      "environment": .array(environment.map(JSON.string)),
      "identity": identity?.json ?? .null,
      "umask": JSON(optional: umask),
      "limits": .array(limits.map(\.json)),
      "nice": nice.map { .integer(Int($0)) } ?? .null,
      "ready": .string(readinessChannel.rawValue),
      "stopSignal": .integer(Int(stopSignal.number)),
      "allowWorkerReload": .boolean(allowsWorkerReload),
      "output": .string(output.rawValue),
      "beforeReload": beforeReload.map { .array($0.map(JSON.string)) } ?? .null,
      "afterTakeover": afterTakeover.map { .array($0.map(JSON.string)) } ?? .null,
      "probe": probe?.json ?? .null,
    ]
  }

  /// Reads what `json` wrote.
  public init(json: JSON) throws(ConfigurationError) {
    self.init(command: try json.command("command"))
    for argument in try json.array("argumentTemplates") {
      // The program itself is the same for all workers.
      guard command.count > 1 else { throw ConfigurationError("'argumentTemplates' has an argument that isn't there") }
      argumentTemplates.append(
        ArgumentTemplate(
          index: try argument.integer("index", 1...command.count - 1),
          template: try Template(json: argument.member("template"))))
    }
    for variable in try json.array("variableTemplates") {
      let name = try variable.string("name")
      if let problem = VariableName.problem(with: name) { throw ConfigurationError(problem) }
      variableTemplates.append(
        VariableTemplate(name: name, template: try Template(json: variable.member("template"))))
    }
    for name in try json.strings("compatibility") {
      guard let known = Compatibility(rawValue: name) else { throw ConfigurationError("'compatibility' is unknown") }
      compatibility.append(known)
    }
    directory = try json.optionalPath("directory")
    environment = try json.strings("environment")
    for assignment in environment { try Self.check(assignment) }
    if let identity = try json.optional("identity") { self.identity = try Identity(json: identity) }
    umask = try json.optionalMode("umask")
    for limit in try json.array("limits") { limits.append(try ResourceLimit(json: limit)) }
    nice = try json.optionalInteger("nice", Limits.nice).map { Int32($0) }
    readinessChannel = try json.choice("ready")
    stopSignal = try StopSignal(number: json.integer("stopSignal", StopSignal.numbers))
    allowsWorkerReload = try json.boolean("allowWorkerReload")
    output = try json.choice("output")
    beforeReload = try json.optionalCommand("beforeReload")
    probe = try json.optional("probe").map { json throws(ConfigurationError) in try Probe(json: json) }
    afterTakeover = try json.optionalCommand("afterTakeover")
  }

  /// A variable that Roost sets itself would be found before it, and its room is what the master writes a pid into.
  private static func check(_ assignment: String) throws(ConfigurationError) {
    guard let equals = assignment.utf8.firstIndex(of: UInt8(ascii: "=")) else {
      throw ConfigurationError("'environment' has no assignment NAME=value")
    }
    let name = String(Substring(assignment.utf8[..<equals]))
    if let problem = VariableName.problem(with: name) { throw ConfigurationError(problem) }
  }
}

extension Probe {
  fileprivate var json: JSON {
    switch self {
    case .http(let path, let status): ["path": .string(path), "status": .integer(status)]
    case .command(let command): ["command": .array(command.map(JSON.string))]
    }
  }

  fileprivate init(json: JSON) throws(ConfigurationError) {
    guard json["path"] != nil else {
      self = .command(try json.command("command"))
      return
    }
    let path = try json.string("path")
    guard Self.isPath(path) else { throw ConfigurationError("'path' is no path of a request") }
    self = .http(path: path, status: try json.integer("status", Limits.probeStatus))
  }
}

extension Identity {
  fileprivate var json: JSON {
    [
      "user": .integer(Int(user)), "group": .integer(Int(group)),
      "groups": .array(supplementaryGroups.map { .integer(Int($0)) }),
    ]
  }

  fileprivate init(json: JSON) throws(ConfigurationError) {
    self.init(
      user: try json.identifier("user"), group: try json.identifier("group"),
      supplementaryGroups: try json.identifiers("groups"))
  }
}

extension ResourceLimit {
  fileprivate var json: JSON {
    [
      "resource": .integer(Int(resource)), "soft": soft.map { .integer(Int($0)) } ?? .null,
      "hard": hard.map { .integer(Int($0)) } ?? .null,
    ]
  }

  fileprivate init(json: JSON) throws(ConfigurationError) {
    let resource = try json.integer("resource", 0...Int(Int32.max))
    guard Self.resources.contains(where: { $0.number == resource }) else {
      throw ConfigurationError("'resource' is \(resource), which is no limit that can be set")
    }
    self.init(
      resource: Int32(resource), soft: try json.optionalInteger("soft", Limits.resource).map { UInt64($0) },
      hard: try json.optionalInteger("hard", Limits.resource).map { UInt64($0) })
    guard soft ?? .max <= hard ?? .max else { throw ConfigurationError("'soft' is above 'hard'") }
  }
}

/// In parts: the master takes no text apart.
extension Address {
  fileprivate var json: JSON {
    switch self {
    case .tcp(.any, let port): ["port": .integer(Int(port))]
    case .tcp(.ipv4(let host), let port): ["ipv4": .string(host), "port": .integer(Int(port))]
    case .tcp(.ipv6(let host), let port): ["ipv6": .string(host), "port": .integer(Int(port))]
    case .udp(let host, let port): ["udp": Address.tcp(host, port: port).json]
    case .unix(let path): ["unix": .string(path)]
    case .systemd(let name): ["systemd": .string(name)]
    }
  }

  fileprivate init(json: JSON) throws(ConfigurationError) {
    if json["unix"] != nil {
      self = .unix(path: try json.string("unix"))
    } else if json["systemd"] != nil {
      self = .systemd(name: try json.string("systemd"))
    } else if let datagrams = json["udp"] {
      // Not by the whole of an address, which could be one of datagrams again and again.
      guard datagrams["udp"] == nil, case .tcp(let host, let port) = try Address(json: datagrams) else {
        throw ConfigurationError("'udp' has no port")
      }
      self = .udp(host, port: port)
    } else {
      let host: Host =
        if json["ipv4"] != nil {
          .ipv4(try json.string("ipv4"))
        } else if json["ipv6"] != nil {
          .ipv6(try json.string("ipv6"))
        } else {
          .any
        }
      self = .tcp(host, port: UInt16(try json.integer("port", 0...Int(UInt16.max))))
    }
    guard isValid else { throw ConfigurationError("'\(self)' is no address") }
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
      "probeTimeout": probeTimeout.map { .integer($0.wholeMilliseconds) } ?? .null,
      "startAttempts": startAttempts.map(JSON.integer) ?? .null,
      "startLimit": startLimit.map { .integer($0.wholeMilliseconds) } ?? .null,
      "probation": .integer(probation.wholeMilliseconds),
      "fallsBack": .boolean(fallsBack),
      "rollsBack": .boolean(rollsBack),
      "settle": .integer(settle.wholeMilliseconds),
      "drainTimeout": .integer(drainTimeout.wholeMilliseconds),
      "backoffFirst": .integer(backoff.first.wholeMilliseconds),
      "backoffLongest": .integer(backoff.longest.wholeMilliseconds),
      "backoffForgivenAfter": .integer(backoff.forgivenAfter.wholeMilliseconds),
      "beforeReload": .boolean(hooks.contains(.beforeReload)),
      "afterTakeover": .boolean(hooks.contains(.afterTakeover)),
      "hookTimeout": .integer(hookTimeout.wholeMilliseconds),
      "queuePerSlot": .boolean(queuePerSlot),
    ]
  }

  fileprivate init(json: JSON) throws(ConfigurationError) {
    let readiness = try json.member("readiness")
    // `Int.max` stands for all.
    let surge = try json.integer("surge", 1...Int.max)
    guard Limits.surge.contains(surge) || surge == .max else {
      throw ConfigurationError("'surge' is \(surge), expected 1 to \(Limits.surge.upperBound)")
    }
    let first = try json.duration("backoffFirst", from: .milliseconds(1))
    self.init(
      workers: try json.integer("workers", Limits.workers), surge: surge,
      readiness: readiness["age"] == nil
        ? .reported(timeout: try readiness.duration("timeout", from: .milliseconds(1)))
        : .alive(after: try readiness.duration("age")),
      startAttempts: try json.optionalInteger("startAttempts", Limits.startAttempts),
      probation: try json.duration("probation"), fallsBack: try json.boolean("fallsBack"),
      rollsBack: try json.boolean("rollsBack"), settle: try json.duration("settle"),
      drainTimeout: try json.duration("drainTimeout"),
      backoff: Backoff(
        first: first, longest: try json.duration("backoffLongest", from: first),
        forgivenAfter: try json.duration("backoffForgivenAfter")),
      hookTimeout: try json.duration("hookTimeout", from: Limits.shortestHookTimeout))
    queuePerSlot = try json.boolean("queuePerSlot")
    if try json.optional("startLimit") != nil {
      startLimit = try json.duration("startLimit", from: .milliseconds(1))
    }
    if try json.optional("probeTimeout") != nil {
      probeTimeout = try json.duration("probeTimeout", from: .milliseconds(1))
    }
    if try json.boolean("beforeReload") { hooks.insert(.beforeReload) }
    if try json.boolean("afterTakeover") { hooks.insert(.afterTakeover) }
  }
}
