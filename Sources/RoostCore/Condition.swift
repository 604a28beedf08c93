/// Whether the service serves now, whatever it is doing.
package enum Condition: String, Hashable, Sendable, CaseIterable {
  /// Every slot has somebody who serves.
  case whole
  /// Some slots have nobody who serves.
  case degraded
  /// Nobody serves.
  case down
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
  /// Whether the service serves now. A slot that is added by a running reload isn't missing yet, and one that goes isn't
  /// any more.
  package var condition: Condition {
    let wanted = slots.count { $0.emptyBy == nil && $0.current != .added }
    let served = slots.count(where: \.isServed)
    if served == 0 { return .down }
    return served < wanted ? .degraded : .whole
  }
}

extension Slot {
  /// Whether somebody accepts here and isn't kept from it by a signal.
  package var isServed: Bool { workers.contains(where: \.serves) }
}
