/// Why a slot gets a worker.
package enum Purpose: String, Hashable, Sendable, Codable, CaseIterable {
  /// The service is being started.
  case start
  /// A reload brings a new generation.
  case reload
  /// The worker before it has failed.
  case lost
  /// The worker before it has served, and ended on its own.
  case recycled
  /// More workers are wanted.
  case scaled
  /// Another one is wanted in place of one that serves.
  case asked
}

/// The rules for a worker until it serves.
package struct Policy: Hashable, Sendable {
  /// What its predecessor does meanwhile.
  package enum Succession: Hashable, Sendable {
    /// It is gone, or there never was one: the new worker has the slot. If it fails, another is started.
    case vacancy(after: Wait)
    /// It serves until the takeover.
    case beside(Takeover, onFailure: Outcome)
  }

  /// What is waited for before a worker is started.
  package enum Wait: String, Hashable, Sendable {
    /// Nothing.
    case nothing
    /// For longer each time, from the first failure on.
    case backoff
    /// Nothing for the first few losses of workers that have served, then the backoff.
    case burst
    /// Nothing for the first few losses, then always the same pause.
    case pause
  }

  /// With which others a worker takes over.
  package enum Takeover: String, Hashable, Sendable {
    /// With none.
    case alone
    /// With the others of its batch, at the same moment.
    case batch
  }

  /// What the failure of a worker means while its predecessor serves.
  package enum Outcome: String, Hashable, Sendable {
    /// The reload has failed.
    case reloadFails
    /// Its predecessor stays.
    case predecessorStays
  }

  package let succession: Succession
  /// Whether it has to pass the probe, if there is one. The successor of a lost worker runs what has passed before, and
  /// giving it up because, say, a database is away would take capacity from a service in trouble.
  package let isProbed: Bool
  /// Whether it is observed for the settle time.
  package let isObserved: Bool

  init(_ succession: Succession, probed isProbed: Bool, observed isObserved: Bool) {
    self.succession = succession
    self.isProbed = isProbed
    self.isObserved = isObserved
  }
}

extension Purpose {
  package var policy: Policy {
    switch self {
    case .start: Policy(.vacancy(after: .backoff), probed: true, observed: false)
    case .reload: Policy(.beside(.batch, onFailure: .reloadFails), probed: true, observed: true)
    case .lost: Policy(.vacancy(after: .burst), probed: false, observed: false)
    case .recycled: Policy(.vacancy(after: .pause), probed: false, observed: false)
    case .scaled: Policy(.vacancy(after: .nothing), probed: false, observed: false)
    case .asked: Policy(.beside(.alone, onFailure: .predecessorStays), probed: true, observed: true)
    }
  }
}
