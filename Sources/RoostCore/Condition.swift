/// Whether the service serves now, whatever it is doing.
package enum Condition: String, Hashable, Sendable, CaseIterable {
  /// Every slot has a worker that serves.
  case whole
  /// Some slots have no worker that serves.
  case degraded
  /// No worker serves.
  case down
}

/// What the service is doing as a whole, in the words of its interfaces.
package enum ServicePhase: String, Hashable, Sendable, CaseIterable {
  case starting
  case serving
  /// Some slots have nobody who serves.
  case degraded
  /// Nobody serves.
  case down
  case reloading
  case stopping
}

/// Why what serves isn't what the configuration names.
package enum Divergence: Hashable, Sendable, Codable {
  /// The reload to this generation has failed.
  case reloadFailed(Generation)
  /// What was to be started couldn't get ready, or can't be used.
  case fellBack
  /// What served before was asked for.
  case rolledBack
}

extension Supervisor {
  /// Whether the service serves now. A slot that a running reload adds doesn't count as missing yet, nor does one that
  /// is to go.
  package var condition: Condition {
    let wanted = slots.count { $0.emptyBy == nil && $0.current != .added }
    let served = slots.count(where: \.isServed)
    if served == 0 { return .down }
    return served < wanted ? .degraded : .whole
  }
}

extension Slot {
  /// Whether a worker accepts here and isn't kept from it by a signal.
  package var isServed: Bool { workers.contains(where: \.serves) }
}
