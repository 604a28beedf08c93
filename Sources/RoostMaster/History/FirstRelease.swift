import RoostConfiguration
import RoostCore

/// What a master that starts begins with: what is configured, or what served last if that can't be used or was refused.
struct FirstRelease {
  let configuration: Configuration
  let release: Release
  let past: Supervisor.Past
  /// Why it isn't what is configured, for the operator.
  let reason: String?
}

extension FirstRelease {
  /// `trouble` is what is wrong with the operator's configuration, if anything: then `configured` is what was recorded.
  init(
    _ configured: Configuration, trouble: String?, _ history: History, _ resolver: ReleaseResolver
  ) throws(MasterError) {
    var past = Supervisor.Past()
    past.first = history.nextGeneration
    past.lastGood = history.lastGood.map { Generation(number: $0) }
    let mayComeBack = configured.settings.fallsBack
    var reason = trouble
    var refused: Release?
    do throws(MasterError) {
      if let trouble { throw MasterError(trouble) }
      let release = try resolver.resolve(configured.worker)
      let pinned = configured.pinned(release)
      guard mayComeBack, history.refuses(pinned) else {
        past.fallback = history.fallback(from: pinned)
        self.init(configuration: configured, release: release, past: past, reason: nil)
        return
      }
      past.divergence = history.wasRolledBack == true ? .rolledBack : .fellBack
      refused = release
      reason = "what is configured was refused before; only a reload starts it"
    } catch {
      guard mayComeBack, history.servedLast != nil else { throw error }
      past.divergence = .fellBack
      reason = error.description
    }
    do {
      try self.init(comingBack: configured, history, past, reason, resolver)
    } catch {
      // Better what was refused than nothing.
      guard let refused else { throw error }
      past.divergence = nil
      self.init(configuration: configured, release: refused, past: past, reason: error.description)
    }
  }

  private init(
    comingBack configured: Configuration, _ history: History, _ past: Supervisor.Past, _ reason: String?,
    _ resolver: ReleaseResolver
  ) throws(MasterError) {
    var past = past
    var failure = MasterError(reason ?? "there is no recorded generation to fall back to")
    for candidate in [history.servedLast, past.lastGood].compactMap(\.self) {
      guard let recorded = history.configuration(of: candidate) else { continue }
      do throws(MasterError) {
        let release = try resolver.resolve(recorded.worker)
        past.origin = .record(history.original(of: candidate))
        past.fallback = history.fallback(from: recorded)
        self.init(
          configuration: configured.running(recorded), release: release, past: past, reason: reason)
        return
      } catch {
        failure = MasterError("\(failure); what served last can't come back either: \(error)")
      }
    }
    throw failure
  }
}

extension History {
  /// What a start that can't get ready with this falls back to: preferably what has proved itself, else what only
  /// served.
  fileprivate func fallback(from pinned: Configuration) -> Generation? {
    [lastGood.map { Generation(number: $0) }, servedLast].compactMap(\.self).first {
      configuration(of: $0).map { !$0.runsSame(as: pinned) } ?? false
    }
  }

  fileprivate func refuses(_ pinned: Configuration) -> Bool {
    guard let servedLast, let refused, let former = refused.configuration, former.runsSame(as: pinned)
    else { return false }
    // A reload or a start of what serves well can fail for a temporary reason, such as a database that is away.
    return configuration(of: servedLast)?.runsSame(as: pinned) != true
  }
}

extension Configuration {
  /// The same with the paths of the release.
  func pinned(_ release: Release) -> Configuration {
    var pinned = self
    pinned.worker = release.configuration
    pinned.worker.directory = release.directory
    return pinned
  }

  /// This service, with the workers of another configuration of it.
  func running(_ other: Configuration) -> Configuration {
    var running = self
    running.listeners = other.listeners
    running.worker = other.worker
    running.settings = other.settings
    running.settings.startAttempts = settings.startAttempts
    running.settings.startLimit = settings.startLimit
    return running
  }

  /// Whether the workers of both do the same.
  func runsSame(as other: Configuration) -> Bool {
    listeners == other.listeners && worker == other.worker
      && settings.readiness == other.settings.readiness && settings.probeTimeout == other.settings.probeTimeout
  }
}
