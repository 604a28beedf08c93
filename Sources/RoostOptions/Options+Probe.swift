import RoostConfiguration

extension Options {
  /// The probe and how long it may take; nil where there is none, or none that can be used.
  func probe(
    _ reader: OptionReader, _ listeners: [ListenerConfiguration]
  ) -> (probe: Probe, timeout: Duration)? {
    guard let value = reader.located("probe") else { return nil }
    let own = OptionReader(reader.table("probe"), known: Probe.options.map(\.name), context: "probe")
    defer { reader.add(own.problems) }
    if listeners.isEmpty { reader.report("probe", "has a meaning only with 'listen'") }
    if listeners.contains(where: { $0.name == Probe.listenerName }) {
      reader.report("probe", "the listener \"\(Probe.listenerName)\" has the name of the one that the probe brings")
    }
    let timeout = own.duration("timeout", .above("0s gives no worker time to answer")) ?? Probe.defaultTimeout
    let status = own.integer("status", Limits.probeStatus) ?? Probe.defaultStatus
    switch (own.has("path"), own.has("command")) {
    case (true, true): own.report("command", "contradicts 'path': use one of them")
    case (false, false):
      guard value.value.isTable else { return nil }
      reader.report(value, "probe", "'path' or 'command' is missing, expected one such as path = \"/health\"")
    case (true, false): return path(own).map { (.http(path: $0, status: status), timeout) }
    case (false, true):
      own.report("status", "has a meaning only with 'path'")
      return own.hook("command").map { (.command($0), timeout) }
    }
    return nil
  }

  private func path(_ own: OptionReader) -> String? {
    own.parsed("path", "a path such as \"/health\"") { text throws(ConfigurationError) in
      guard Probe.isPath(text) else {
        throw ConfigurationError(
          "found \"\(text)\", expected a path such as \"/health\", of printable ASCII characters without spaces")
      }
      return text
    }
  }
}
