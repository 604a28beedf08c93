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
        directory: try place.string("directory"), group: try place.optionalUInt32("group"))
    }
    self.init(
      name: try json.string("name"), listeners: listeners, pidFile: try json.optionalString("pidFile"),
      control: control,
      metrics: try json.optional("metrics").map { address throws(ConfigurationError) in
        try Address(json: address)
      }, worker: try WorkerConfiguration(json: json.member("worker")),
      settings: try Settings(json: json.member("settings")))
  }
}

extension ListenerConfiguration {
  /// The listener as JSON.
  public var json: JSON {
    [
      "name": .string(name), "address": address.json, "backlog": .integer(Int(backlog)),
      "nonblocking": .boolean(isNonblocking), "ipv6Only": isIPv6Only.map(JSON.boolean) ?? .null,
      "reuseport": reuseport.map { .string($0.rawValue) } ?? .null,
      "mode": JSON(optional: mode), "user": JSON(optional: user), "group": JSON(optional: group),
    ]
  }

  /// Reads what `json` wrote.
  public init(json: JSON) throws(ConfigurationError) {
    self.init(
      name: try json.string("name"), address: try Address(json: json.member("address")),
      backlog: Int32(truncatingIfNeeded: try json.integer("backlog")))
    isNonblocking = try json.boolean("nonblocking")
    isIPv6Only = try json.optional("ipv6Only") == nil ? nil : try json.boolean("ipv6Only")
    if let name = try json.optionalString("reuseport") {
      guard let reuseport = Reuseport(rawValue: name) else { throw ConfigurationError("'reuseport' is unknown") }
      self.reuseport = reuseport
    }
    mode = try json.optionalUInt32("mode")
    user = try json.optionalUInt32("user")
    group = try json.optionalUInt32("group")
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
    guard let channel = ReadinessChannel(rawValue: try json.string("ready")) else {
      throw ConfigurationError("'ready' is unknown")
    }
    guard let output = Output(rawValue: try json.string("output")) else {
      throw ConfigurationError("'output' is unknown")
    }
    self.init(command: try json.strings("command"))
    for argument in try json.array("argumentTemplates") {
      guard command.indices.contains(try argument.integer("index")) else {
        throw ConfigurationError("'argumentTemplates' has an argument that isn't there")
      }
      argumentTemplates.append(
        ArgumentTemplate(
          index: try argument.integer("index"), template: try Template(json: argument.member("template"))))
    }
    for variable in try json.array("variableTemplates") {
      variableTemplates.append(
        VariableTemplate(
          name: try variable.string("name"), template: try Template(json: variable.member("template"))))
    }
    for name in try json.strings("compatibility") {
      guard let known = Compatibility(rawValue: name) else { throw ConfigurationError("'compatibility' is unknown") }
      compatibility.append(known)
    }
    directory = try json.optionalString("directory")
    environment = try json.strings("environment")
    if let identity = try json.optional("identity") { self.identity = try Identity(json: identity) }
    umask = try json.optionalUInt32("umask")
    for limit in try json.array("limits") { limits.append(try ResourceLimit(json: limit)) }
    nice = try json.optional("nice") == nil ? nil : Int32(truncatingIfNeeded: try json.integer("nice"))
    readinessChannel = channel
    stopSignal = try StopSignal(number: json.integer("stopSignal"))
    allowsWorkerReload = try json.boolean("allowWorkerReload")
    self.output = output
    beforeReload = try json.optional("beforeReload") == nil ? nil : try json.strings("beforeReload")
    probe = try json.optional("probe").map { json throws(ConfigurationError) in try Probe(json: json) }
    afterTakeover = try json.optional("afterTakeover") == nil ? nil : try json.strings("afterTakeover")
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
    self =
      json["path"] == nil
      ? .command(try json.strings("command"))
      : .http(path: try json.string("path"), status: try json.integer("status"))
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
    var groups: [UInt32] = []
    for group in try json.array("groups") {
      guard case .integer(let number) = group else { throw ConfigurationError("'groups' isn't made of numbers") }
      groups.append(UInt32(truncatingIfNeeded: number))
    }
    self.init(
      user: UInt32(truncatingIfNeeded: try json.integer("user")),
      group: UInt32(truncatingIfNeeded: try json.integer("group")), supplementaryGroups: groups)
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
    self.init(
      resource: Int32(truncatingIfNeeded: try json.integer("resource")),
      soft: try json.optional("soft") == nil ? nil : UInt64(try json.integer("soft")),
      hard: try json.optional("hard") == nil ? nil : UInt64(try json.integer("hard")))
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
      guard case .tcp(let host, let port) = try Address(json: datagrams) else {
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
      "probeTimeout": probeTimeout.map { .integer($0.wholeMilliseconds) } ?? .null,
      "startAttempts": .integer(startAttempts),
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
    self.init(
      workers: try json.integer("workers"), surge: try json.integer("surge"),
      readiness: readiness["age"] == nil
        ? .reported(timeout: try readiness.duration("timeout")) : .alive(after: try readiness.duration("age")),
      startAttempts: try json.integer("startAttempts"), settle: try json.duration("settle"),
      drainTimeout: try json.duration("drainTimeout"),
      backoff: Backoff(
        first: try json.duration("backoffFirst"), longest: try json.duration("backoffLongest"),
        forgivenAfter: try json.duration("backoffForgivenAfter")),
      hookTimeout: try json.duration("hookTimeout"))
    queuePerSlot = try json.boolean("queuePerSlot")
    if try json.optional("probeTimeout") != nil { probeTimeout = try json.duration("probeTimeout") }
    if try json.boolean("beforeReload") { hooks.insert(.beforeReload) }
    if try json.boolean("afterTakeover") { hooks.insert(.afterTakeover) }
  }
}

extension JSON {
  fileprivate init(optional number: UInt32?) {
    self = number.map { .integer(Int($0)) } ?? .null
  }

  /// The value of this name, or nil where it is null.
  fileprivate func optional(_ name: String) throws(ConfigurationError) -> JSON? {
    let value = try member(name)
    return value == .null ? nil : value
  }

  fileprivate func optionalString(_ name: String) throws(ConfigurationError) -> String? {
    try optional(name) == nil ? nil : try string(name)
  }

  fileprivate func optionalUInt32(_ name: String) throws(ConfigurationError) -> UInt32? {
    try optional(name) == nil ? nil : UInt32(truncatingIfNeeded: try integer(name))
  }

  fileprivate func strings(_ name: String) throws(ConfigurationError) -> [String] {
    var strings: [String] = []
    for element in try array(name) {
      guard case .string(let string) = element else { throw ConfigurationError("'\(name)' isn't made of strings") }
      strings.append(string)
    }
    return strings
  }

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
