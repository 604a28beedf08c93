extension Configuration {
  /// Throws where parts of it don't fit each other. The supervisor and the master rely on them, and would trap.
  func checkConsistency() throws(ConfigurationError) {
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
    try checkHooks()
    try checkProbe(names)
    try checkReadiness()
    guard settings.queuePerSlot == listeners.contains(where: { $0.reuseport != nil }) else {
      throw ConfigurationError("'queuePerSlot' doesn't fit the listeners")
    }
    try checkTemplates(worker.probe == nil ? names : names.union([Probe.listenerName]))
  }

  private func checkHooks() throws(ConfigurationError) {
    guard settings.hooks.contains(.beforeReload) == (worker.beforeReload != nil),
      settings.hooks.contains(.afterTakeover) == (worker.afterTakeover != nil)
    else { throw ConfigurationError("the hooks of 'settings' aren't those of 'worker'") }
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
    let isByAge =
      switch settings.readiness {
      case .alive: true
      case .reported: false
      }
    guard isByAge == (worker.readinessChannel == .none) else {
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

extension Address {
  /// Whether each slot may have a socket of its own there.
  var mayBeShared: Bool {
    switch self {
    case .tcp, .udp: true
    case .unix, .systemd: false
    }
  }
}
