/// An upgrade of the master: its new binary proves in a child that it can take over, and then takes over the process.
package enum Upgrade: Hashable, Sendable, Codable {
  /// The new binary has until then to prove itself.
  case proving(until: Instant)
  /// It has, and takes over.
  case replacing
}

/// Why a new binary of the master doesn't take over.
package enum UpgradeFailure: Hashable, Sendable {
  /// It can't take over, or can't be executed.
  case refused(reason: String)
  /// It hasn't proved itself within this time.
  case tookTooLong(Duration)
}

extension Supervisor {
  /// Reading a state takes milliseconds; a binary that hangs mustn't hang the upgrade.
  static let proofTimeout: Duration = .seconds(10)

  mutating func upgradeRequested(by requester: Requester, at now: Instant) {
    // One that is being tried already answers for this too.
    guard upgrade == nil, phase != .stopped else { return }
    upgrade = .proving(until: now + Self.proofTimeout)
    report(.upgradeRequested(by: requester))
    order(.proveUpgrade)
  }

  mutating func upgradeProved() {
    guard case .proving = upgrade else { return }
    upgrade = .replacing
    order(.replaceMaster)
  }

  /// The new binary can't take over, or can't be executed after all.
  mutating func upgradeFailed(_ failure: UpgradeFailure) {
    guard upgrade != nil else { return }
    upgrade = nil
    report(.upgradeRefused(failure))
  }

  mutating func proofDeadline(at now: Instant) {
    guard case .proving(let until) = upgrade, until <= now else { return }
    order(.abandonProof)
    upgradeFailed(.tookTooLong(Self.proofTimeout))
  }

  /// The master ends: there is nothing to upgrade.
  mutating func abandonUpgrade() {
    if case .proving = upgrade { order(.abandonProof) }
    upgrade = nil
  }

  /// The new binary's first event.
  mutating func upgraded(from version: String) {
    upgrade = nil
    report(.upgraded(from: version))
  }
}
