import RoostCore

extension Configuration {
  /// Throws where a value can't be, or where parts don't fit each other. The supervisor and the master rely on them, and would
  /// trap.
  func check() throws(ConfigurationError) {
    _ = try ServiceName.validate(name)
    for option in Self.options { try option.check(self, against: Self.standard) }
    if let control {
      try Check.path("directory", control.directory)
      try Check.identifier("group", control.group)
    }
    if let history {
      try Check.path("directory", history.directory)
      try Check.range("length", history.length, Limits.history)
    }
    for listener in listeners { try listener.check() }
    try worker.check()
    try settings.check(in: self)
    guard listeners.count <= Limits.listeners else {
      throw ConfigurationError("there are \(listeners.count) listeners, and at most \(Limits.listeners) are possible")
    }
    var names: Set<String> = []
    for listener in listeners where !names.insert(listener.name).inserted {
      throw ConfigurationError("there are two listeners named '\(listener.name)'")
    }
    if let metrics {
      switch metrics {
      case .tcp, .unix: break
      case .udp, .systemd: throw ConfigurationError("'metrics' can't be at \(metrics)")
      }
    }
    try checkProbe(names)
    try checkReadiness()
    guard settings.queuePerSlot == listeners.contains(where: { $0.reuseport != nil }) else {
      throw ConfigurationError("'queuePerSlot' doesn't fit the listeners")
    }
    try checkTemplates(worker.probe == nil ? names : names.union([Probe.listenerName]))
  }

  private func checkProbe(_ names: Set<String>) throws(ConfigurationError) {
    guard (settings.probeTimeout == nil) == (worker.probe == nil) else {
      throw ConfigurationError("'probe' and 'probeTimeout' come together")
    }
    guard worker.probe == nil || !names.isEmpty && !names.contains(Probe.listenerName) else {
      throw ConfigurationError("'probe' doesn't fit the listeners")
    }
  }

  private func checkReadiness() throws(ConfigurationError) {
    guard (settings.readyAfter != nil) == (worker.readinessChannel == .none) else {
      throw ConfigurationError("'readiness' doesn't fit 'ready'")
    }
    guard worker.readinessChannel != .einhorn || worker.compatibility.contains(.einhorn) else {
      throw ConfigurationError("'ready' needs 'compatibility' with einhorn")
    }
  }

  private func checkTemplates(_ names: Set<String>) throws(ConfigurationError) {
    let templates = worker.argumentTemplates.map(\.template) + worker.variableTemplates.map(\.template)
    for segment in templates.flatMap(\.segments) {
      switch segment {
      case .descriptor(let name), .port(let name), .address(let name):
        guard names.contains(name) else { throw ConfigurationError("a template names the listener '\(name)'") }
      case .readyDescriptor:
        guard worker.readinessChannel == .pipe else { throw ConfigurationError("a template needs a readiness pipe") }
      case .text, .directory, .slot, .generation: break
      }
    }
  }
}

extension ListenerConfiguration {
  package func check() throws(ConfigurationError) {
    _ = try ListenerName.validate(name)
    guard address.isValid else { throw ConfigurationError("'\(address)' is no address") }
    for option in Self.options { try option.check(self, against: Self.standard) }
    if reuseport != nil, address.port == nil {
      throw ConfigurationError("'reuseport' of the listener \(name)=\(address) has no meaning")
    }
    try Check.identifier("user", user)
    try Check.identifier("group", group)
  }
}

extension WorkerConfiguration {
  package func check() throws(ConfigurationError) {
    try Check.command("command", command)
    for argument in argumentTemplates where !command.indices.dropFirst().contains(argument.index) {
      // The program itself is the same for all workers.
      throw ConfigurationError("'argumentTemplates' has an argument that isn't there")
    }
    for variable in variableTemplates {
      if let problem = VariableName.problem(with: variable.name) { throw ConfigurationError(problem) }
    }
    for assignment in environment { try Self.check(assignment) }
    if let identity {
      for id in [identity.user, identity.group] + identity.supplementaryGroups { try Check.identifier("identity", id) }
    }
    for limit in limits { try limit.check() }
    switch probe {
    case .http(let path, let status):
      guard Probe.isPath(path) else { throw ConfigurationError("'path' is no path of a request") }
      try Check.range("status", status, Limits.probeStatus)
    case .command(let command): try Check.command("command", command)
    case nil: break
    }
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

extension ResourceLimit {
  fileprivate func check() throws(ConfigurationError) {
    guard Self.resources.contains(where: { $0.number == resource }) else {
      throw ConfigurationError("'resource' is \(resource), which is no limit that can be set")
    }
    for bound in [soft, hard].compactMap(\.self) {
      try Check.range("limits", Int(truncatingIfNeeded: bound), Limits.resource)
    }
    guard soft ?? .max <= hard ?? .max else { throw ConfigurationError("'soft' is above 'hard'") }
  }
}

extension Settings {
  fileprivate func check(in configuration: Configuration) throws(ConfigurationError) {
    try Check.range("workers", workers, Limits.workers)
    try Check.duration("probe.timeout", probeTimeout, from: .milliseconds(1))
    guard backoffLongest >= backoffFirst else {
      throw ConfigurationError("'restart-delay-limit' is below 'restart-delay'")
    }
    guard beforeReload == (configuration.worker.beforeReload != nil),
      afterTakeover == (configuration.worker.afterTakeover != nil)
    else { throw ConfigurationError("the hooks of 'settings' aren't those of 'worker'") }
  }
}
