/// What the supervisor has decided about an event.
package struct Decision: Hashable, Sendable {
  /// What is to be done, in this order.
  package internal(set) var effects: [Effect]
  /// What the operator should know, in this order. Nothing depends on it.
  package internal(set) var notices: [Notice]

  package init(effects: [Effect] = [], notices: [Notice] = []) {
    self.effects = effects
    self.notices = notices
  }
}

/// An order to the shell.
package enum Effect: Hashable, Sendable {
  /// Open the listeners of the first generation. Answered by `Event.startRequested` or `Event.listenersNotOpened`.
  case openListeners
  /// Resolve for this generation what may have changed since the last: command, directory, symbolic links. What a
  /// former generation ran is taken as it was recorded. Answered by `Event.generationPrepared` or
  /// `Event.generationNotPrepared`.
  case prepare(Generation, from: Origin)
  /// Give up what `prepare` ordered. It is no longer answered.
  case abandonPreparation(Generation)
  /// Run the operator's command. Answered by `Event.hookEnded`.
  case runHook(Hook, Generation)
  /// Kill the operator's command. It is no longer answered.
  case killHook(Hook, Generation)
  /// Start the worker. Answered by `Event.workerStarted` or `Event.workerNotStarted`.
  case spawn(WorkerID)
  /// Ask the worker whether it serves well, until it does. Answered by `Event.probeSucceeded`; no longer awaited once
  /// the worker has another stage.
  case probe(WorkerID)
  /// Send the stop signal to the worker, or to what remains of its group if it has exited.
  case drain(WorkerID)
  /// Report when no connection waits any more where only this worker, which was replaced, can accept. Answered by
  /// `Event.queueEmpty`; no longer awaited once the worker was told to drain.
  case awaitEmptyQueue(WorkerID)
  /// Send SIGKILL to the worker's whole process group, or to all that remains of a worker that has exited.
  case kill(WorkerID)
  /// Record what this generation runs as the last good: it is what a start falls back to.
  case record(Generation)
  /// Set the listeners' backlog again: a worker that got ready may have shrunk it with its own listen().
  case restoreBacklog
  /// Close the listeners: clients that connect from now on are refused instead of left hanging.
  case closeListeners
  /// Tell the master's own supervisor.
  case announce(Announcement)
  /// Have the master's new binary prove in a child that it can take over. Answered by `Event.upgradeProved` or
  /// `Event.upgradeFailed`.
  case proveUpgrade
  /// Give up what `proveUpgrade` ordered. It is no longer answered.
  case abandonProof
  /// Execute the new binary in place of this one. Answered by its `Event.upgraded`, or by `Event.upgradeFailed`.
  case replaceMaster
  /// Every worker is reaped: end the master with this verdict, and whatever else is left, `atOnce` without waiting for it.
  case exit(Verdict, atOnce: Bool)
}

/// What systemd is told (sd_notify(3)).
package enum Announcement: Hashable, Sendable {
  /// `READY=1`: the start, or a reload whatever its outcome, is over.
  case ready
  /// `RELOADING=1`
  case reloading
  /// `STOPPING=1`
  case stopping
  /// `EXTEND_TIMEOUT_USEC=`
  case extendTimeout(Duration)
}

/// How the master ends.
package enum Verdict: Hashable, Sendable, Codable {
  /// It was asked to.
  case stopped
  /// The first generation couldn't get ready.
  case startFailed
}
