/// A fact that the supervisor is told.
package enum Event: Hashable, Sendable {
  /// The listeners are open: the first generation may start.
  case startRequested
  /// The listeners can't be opened now, but what is in the way may pass.
  case listenersNotOpened(reason: String)
  /// A reload is requested. `replacing` ends a running one instead of waiting for it.
  case reloadRequested(by: Requester, from: Origin = .configuration, replacing: Bool = false)
  /// The end of the running reload is requested.
  case cancelRequested(by: Requester)
  /// A graceful stop is requested; if one is already running, a stop at once.
  case stopRequested(by: Requester)
  /// A stop without waiting for drains is requested.
  case stopAtOnceRequested(by: Requester)
  /// The operator asks for this many more workers, or fewer if negative.
  case scaleRequested(by: Int)

  /// The operator asks for this many workers.
  case workersRequested(Int)

  /// No connection waits for any of the slots from this one up, and none will: they all go.
  case queuesEmpty(from: Int)

  /// No connection waits any more where only this worker can accept.
  case queueEmpty(WorkerID)

  /// Another worker is wanted in place of the one that serves in this slot.
  case replacementRequested(slot: Int, by: Requester)

  /// What `Effect.prepare` ordered is done. `settings` if they were read again: they hold from its takeover on.
  /// `leavesQueues` if its listeners aren't those of all workers: connections may wait where not every worker can
  /// accept.
  case generationPrepared(Generation, settings: Settings? = nil, leavesQueues: Bool = false)
  /// What `Effect.prepare` ordered can't be done.
  case generationNotPrepared(Generation, reason: String)
  /// The command that `Effect.runHook` ordered has ended, with a failure if there is one.
  case hookEnded(Hook, Generation, failure: String?)

  /// The process that `Effect.spawn` ordered runs the worker's command.
  case workerStarted(WorkerID)
  /// The process that `Effect.spawn` ordered doesn't exist, or couldn't execute the command and is gone.
  case workerNotStarted(WorkerID, reason: String)
  /// The worker has said that it accepts.
  case workerReady(WorkerID)
  /// The worker has passed its probe: it serves well.
  case probeSucceeded(WorkerID)
  /// The worker asks for at least this much time from now, to get ready or to drain.
  case workerAskedForTime(WorkerID, Duration)
  /// The worker was reaped. `remains` if processes of its group are still alive.
  case workerExited(WorkerID, ExitCause, remains: Bool)
  /// A signal has stopped the worker: it does nothing.
  case workerStopped(WorkerID)
  /// The worker runs again.
  case workerContinued(WorkerID)
  /// No process of the exited worker's group is left.
  case workerRemainsGone(WorkerID)

  /// `Supervisor.nextDeadline` has come. If it hasn't yet, nothing changes.
  case timePassed
  /// For this long neither the master nor, as far as it knows, any worker ran. Meanwhile the supervisor's clock stood
  /// still.
  case stalled(Duration)

  /// The master's new binary is requested.
  case upgradeRequested(by: Requester)
  /// The new binary has proved that it can take over.
  case upgradeProved
  /// It can't, or couldn't be executed.
  case upgradeFailed(reason: String)
  /// This is the new binary; that was the version before it.
  case upgraded(from: String)
}

/// Who asks for a reload or a stop.
package enum Requester: Hashable, Sendable {
  /// The operator, by a signal of this number.
  case signal(Int32)
  /// A worker, through its notify socket.
  case worker(WorkerID)
  /// The terminal of a master in the foreground, by going away.
  case terminal
  /// A client of the control socket: the process of this id, of a user.
  case client(pid: Int32, uid: UInt32)
  /// The master itself, because this generation's workers keep failing.
  case crashLoop(Generation)
}

extension Requester {
  var isWorker: Bool {
    if case .worker = self { true } else { false }
  }
}

/// How a process ended (wait(2)).
package enum ExitCause: Hashable, Sendable {
  /// It exited with this status, 0 … 255.
  case exited(status: Int32)
  /// This signal killed it.
  case signalled(Int32, dumpedCore: Bool)
}
