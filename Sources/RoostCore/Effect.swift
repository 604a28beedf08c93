/// An order to the shell. Orders are carried out in their sequence.
public enum Effect: Hashable, Sendable {
  /// Open the listeners of the first generation. Answered by `Event.startRequested` or `Event.listenersNotOpened`.
  case openListeners
  /// Resolve for this generation what may have changed since the last: command, directory, symbolic links. What another
  /// generation has run is taken as it was recorded. Answered by `Event.generationPrepared` or
  /// `Event.generationNotPrepared`.
  case prepare(Generation, from: Origin)
  /// Give up what `prepare` ordered. It is not answered any more.
  case abandonPreparation(Generation)
  /// Run the operator's command. Answered by `Event.hookEnded`.
  case runHook(Hook, Generation)
  /// Kill the operator's command. It is not answered any more.
  case killHook(Hook, Generation)
  /// Start the worker. Answered by `Event.workerStarted` or `Event.workerNotStarted`.
  case spawn(WorkerID)
  /// Ask the worker whether it serves well, until it does. Answered by `Event.probeSucceeded`; not awaited any more once
  /// the worker has another stage.
  case probe(WorkerID)
  /// Send the stop signal to the worker, or to what remains of its group if it has exited.
  case drain(WorkerID)
  /// Send SIGKILL to the worker's whole process group, or to all that remains of a worker that has exited.
  case kill(WorkerID)
  /// Record what this generation runs as the last good: it is what a start falls back to.
  case record(Generation)
  /// Set the listeners' backlog anew: the runtime of a worker that got ready may have shrunk it by a listen() of its
  /// own.
  case restoreBacklog
  /// Close the listeners: whoever connects from now on is refused instead of left hanging.
  case closeListeners
  /// Tell the master's own supervisor.
  case announce(Announcement)
  /// Tell the operator.
  case report(Notice)
  /// Every worker is reaped: end the master with this verdict, and whatever else is left, `atOnce` without waiting for it.
  case exit(Verdict, atOnce: Bool)
}

/// What systemd is told (sd_notify(3)).
public enum Announcement: Hashable, Sendable {
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
public enum Verdict: Hashable, Sendable, Codable {
  /// It was asked to.
  case stopped
  /// The first generation couldn't get ready.
  case startFailed
}
