/// Something that the operator should know.
package enum Notice: Hashable, Sendable {
  /// A worker runs its command.
  case workerStarted(WorkerID)
  /// A worker got ready, this long after it was started.
  case workerReady(WorkerID, after: Duration)
  /// A current worker is lost, and this follows.
  case workerLost(WorkerID, Failure, then: Consequence)
  /// A current worker ended with status 0 after serving this long: it recycled itself. `then` is never `startFails`.
  case workerRecycled(WorkerID, after: Duration, then: Consequence)
  /// A worker is to be replaced by another that is started first.
  case replacementRequested(slot: Int, by: Requester)
  /// It isn't: no worker serves in this slot, or another one is already being started.
  case replacementRefused(slot: Int, by: Requester)
  /// A worker has taken the place of one that served.
  case replaced(by: WorkerID)
  /// The worker that was to take a place doesn't; the one that has it keeps it.
  case replacementFailed(WorkerID, Failure)
  /// A retiree was sent the stop signal.
  case drainBegan(WorkerID, timeout: Duration)
  /// A retiree has exited, this long after it was told to drain; `killed` if it was sent SIGKILL meanwhile.
  case drainEnded(WorkerID, ExitCause, after: Duration, killed: Bool)
  /// A retiree is killed because its drain timeout is over; `remains` if it has exited, and what it left behind is
  /// killed.
  case drainTimedOut(WorkerID, after: Duration, remains: Bool)
  /// A worker has exited and left processes in its group, which are stopped.
  case remainsStopped(WorkerID, timeout: Duration)

  /// The first generation is complete.
  case startSucceeded(Generation, workers: Int, after: Duration)
  /// The service couldn't be started, and is given up.
  case startFailed(Failure)
  /// The listeners couldn't be opened; the next try comes after this time.
  case listenersNotOpened(reason: String, retry: Duration)
  /// The start has failed several times for this reason, and is tried again.
  case startDelayed(Failure)
  /// The start continues with what a former generation ran, because the one before couldn't get ready.
  case fellBack(Generation, to: Generation, from: Generation, Failure)
  /// There is nothing to fall back to after all.
  case fallbackFailed(reason: String)
  /// The start began with what a former generation ran.
  case startedFromRecord(Generation, of: Generation, Divergence)
  /// The generation has served well for long enough: it is the last good one.
  case proved(Generation, after: Duration)
  /// Workers of a generation on probation keep failing. The generation that served before comes back if it is named.
  case crashLoop(Generation, rollsBackTo: Generation?)

  /// A reload was requested; `latched` if it has to wait.
  case reloadRequested(by: Requester, from: Origin, latched: Latch?)
  /// The end of the running reload was requested.
  case cancelRequested(by: Requester)
  /// A reload has begun.
  case reloadBegan(Generation, from: Origin)
  /// One of the operator's commands runs.
  case hookBegan(Hook, Generation)
  /// One of the operator's commands has succeeded.
  case hookSucceeded(Hook, Generation, after: Duration)
  /// One of the operator's commands has failed, and nothing depends on it.
  case hookFailed(Hook, Generation, reason: String)
  /// A batch of candidates has become current.
  case tookOver(Generation, slots: Range<Int>)
  /// The generation serves in all slots.
  case reloadSucceeded(Generation, after: Duration)
  /// The reload has failed. `moved` slots of `slots` had been taken over before.
  case reloadFailed(Generation, Failure, after: Duration, serving: Generation, moved: Int, slots: Int)

  /// The number of workers changes; `latched` if it has to wait.
  case scaled(from: Int, to: Int, latched: Latch?)
  /// A slot goes although connections wait for it: its time is over.
  case queueNotEmpty(slot: Int, timeout: Duration)
  /// The number of workers can't go below one, or above the maximum.
  case scaleRefused(at: Int)

  /// Nothing ran for this long.
  case stalled(Duration)

  /// The master's new binary was requested.
  case upgradeRequested(by: Requester)
  /// It doesn't take over.
  case upgradeRefused(UpgradeFailure)
  /// It has taken over from this version.
  case upgraded(from: String)

  /// A graceful stop was requested.
  case stopRequested(by: Requester)
  /// A stop without waiting for drains was requested.
  case stopAtOnceRequested(by: Requester)
}

/// What a request has to wait for.
package enum Latch: Hashable, Sendable {
  /// The first generation is starting.
  case start
  /// A reload is running.
  case reload
}

/// What follows the loss of a current worker.
package enum Consequence: Hashable, Sendable {
  /// Another is started in its slot after this time.
  case another(after: Duration)
  /// None is started: the slot's candidate is on its way.
  case awaitsCandidate
  /// None is started: it was the last attempt, and the start has failed.
  case startFails
}

/// Why a worker, or a whole reload, is given up.
package enum Failure: Hashable, Sendable {
  /// The generation couldn't be prepared.
  case notPrepared(reason: String)
  /// The operator's command to run before a reload has failed.
  case hookFailed(Hook, reason: String)
  /// The worker's command couldn't be executed.
  case notStarted(WorkerID, reason: String)
  /// The worker has exited.
  case exited(WorkerID, ExitCause, Moment)
  /// The worker wasn't ready in time.
  case notReady(WorkerID, timeout: Duration)
  /// The worker was ready, and has been stopped by a signal.
  case stopped(WorkerID)
  /// The worker didn't pass its probe in time.
  case probeFailed(WorkerID, timeout: Duration)
  /// The listeners couldn't be opened.
  case notListening(reason: String)
  /// It didn't succeed within this time.
  case tookTooLong(Duration)
  /// An operator has ended it.
  case cancelled(by: Requester)
  /// An operator has replaced it with another reload.
  case replaced(by: Requester)
  /// This reload starts another worker in its place.
  case overtaken(by: Generation)

  /// When a worker exited.
  package enum Moment: Hashable, Sendable {
    /// Before it was ready.
    case starting
    /// As a ready candidate.
    case settling
    /// As a ready current worker, this long after it got ready.
    case serving(Duration)
  }
}
