/// A start whose generation can't get ready continues with the last good one: what served last comes back.
extension Supervisor {
  /// How many tries to open the listeners come before what served last is looked at: with the shortest wait they take a
  /// dozen seconds, in which a network comes up or a former service goes.
  static let listenerAttempts = 8
  /// How often a worker is tried.
  static let attemptsBeforeFallback = 3

  /// Whether a start that has failed so often in one place falls back.
  func fallsBack(_ start: Start, afterFailures failures: Int, _ failure: Failure) -> Bool {
    guard fallback != nil, settings.fallsBack else { return false }
    switch failure {
    case .notListening: return failures >= Self.listenerAttempts && !start.hasFallenBackInVain
    // A worker that hangs for all of its time isn't given as much again if something is known to serve.
    case .notReady, .probeFailed: return true
    case .notPrepared, .hookFailed, .notStarted, .exited, .stopped, .tookTooLong, .cancelled, .replaced,
      .overtaken:
      return failures >= settings.startAttempts ?? Self.attemptsBeforeFallback
    }
  }

  mutating func fallBack(_ start: Start, _ failure: Failure, at now: Instant) {
    guard let record = fallback else { preconditionFailure("nothing to fall back to") }
    newest = newest.next
    var start = start
    start.stage = .preparing(newest, until: now + Self.preparationTimeout)
    phase = .starting(start)
    report(.fellBack(newest, to: record, from: serving, failure))
    order(.prepare(newest, from: .record(record)))
  }

  /// The last good release can be started: it takes the place of what couldn't get ready.
  mutating func fallbackPrepared(_ start: Start, _ generation: Generation, _ new: Settings?, at now: Instant) {
    guard let record = fallback else { preconditionFailure("prepared what wasn't ordered") }
    var start = start
    start.stage = .startingWorkers
    start.failures = 0
    var new = new ?? settings
    // Those of this start, not of the one in which it was recorded.
    new.startAttempts = settings.startAttempts
    new.startLimit = settings.startLimit
    // What operators have requested meanwhile stays.
    workers = Settings.validWorkers(new.workers + workers - configuredWorkers)
    configuredWorkers = new.workers
    generations = [generation: new]
    serving = generation
    servingOrigin = .record(record)
    fallback = nil
    divergence = .fellBack
    phase = .starting(start)
    for worker in slots.compactMap(\.worker) { retire(worker, at: now) }
    startWorkers(in: max(desiredWorkers, slots.count, slotsAtStart), at: now)
  }

  /// What is recorded can't be started: only what was to be started first is left.
  mutating func fallbackFailed(_ start: Start, _ reason: String, at now: Instant) {
    report(.fallbackFailed(reason: reason))
    var start = start
    if slots.isEmpty {
      // It may lack the same listeners, and be worth another look once they are open.
      start.hasFallenBackInVain = true
      start.stage = .awaitingListeners(until: now + settings.backoff(afterFailures: start.failures + 1))
    } else {
      fallback = nil
      start.stage = .startingWorkers
    }
    phase = .starting(start)
    // Workers that have failed meanwhile wait with their backoff; those that got ready are counted now.
    completeStart(start, at: now)
    reloadInsteadOfStart(at: now)
  }

  /// Preparing what is recorded takes too long.
  mutating func fallbackTimedOut(_ start: Start, _ generation: Generation, at now: Instant) {
    order(.abandonPreparation(generation))
    fallbackFailed(start, Self.preparationTooLong, at: now)
  }
}
