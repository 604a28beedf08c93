import CRoostLinux
import Glibc
import RoostConfiguration
import RoostControl
import RoostCore

/// The words for what the operator should know.
struct NoticeText {
  /// What a worker is told to drain with.
  let stopSignal: (WorkerID) -> StopSignal
  /// The pid of a worker that has one.
  let pid: (WorkerID) -> pid_t?
  /// What is known of the accept queues during the reload that has ended last.
  let evidence: ReloadEvidence?
  /// What a worker that didn't get ready lacks, where that is known.
  let lacks: (WorkerID) -> String?
  /// Why a worker hasn't passed its probe.
  let probeReason: (WorkerID) -> String?
  /// The processes that an exited worker has left behind and that drain.
  let leftBehind: (WorkerID) -> [String]
  /// Whether the service serves now.
  let condition: Condition

  func event(of notice: Notice) -> ServiceEvent {
    switch notice {
    case .workerStarted(let id): told(.workerStarted, id, "\(name(id)) started")
    case .workerReady(let id, let after): told(.workerReady, id, "\(name(id)) is ready after \(milliseconds(after))")
    case .workerLost(let id, let failure, let then):
      told(.workerLost, id, .warning, "\(lost(id, failure))\(consequence(then))")
    case .workerRecycled(let id, let after, let then):
      told(.workerRecycled, id, "\(name(id)) ended after serving \(after.text), with status 0\(consequence(then))")
    case .drainBegan(let id, let timeout):
      told(.drainBegan, id, "\(name(id)) was sent \(signal(id)) and has \(timeout.text) to drain")
    case .drainEnded(let id, let cause, let after, let killed):
      told(
        .drainEnded, id, isClean(cause, id) ? .info : .warning, "\(name(id)) \(drained(id, cause, after, killed))")
    case .drainTimedOut(let id, let after, let remains):
      told(
        .drainTimedOut, id, .warning,
        remains
          ? "what \(name(id)) has left behind did not end within \(after.text): killing it"
          : "\(name(id)) did not drain within \(after.text): killing its process group")
    case .remainsStopped(let id, let timeout):
      told(
        .remainsStopped, id, .warning,
        "\(name(id)) left \(remains(id, timeout))")
    case .startSucceeded, .startFailed, .listenersNotOpened, .startDelayed, .fellBack, .fallbackFailed,
      .startedFromRecord, .proved, .crashLoop, .cancelRequested, .reloadRequested, .reloadBegan, .tookOver,
      .reloadSucceeded, .reloadFailed,
      .hookBegan, .hookSucceeded, .hookFailed, .scaled, .queueNotEmpty, .scaleRefused, .stalled, .stopRequested,
      .stopAtOnceRequested:
      eventOfService(notice)
    }
  }

  private func eventOfService(_ notice: Notice) -> ServiceEvent {
    switch notice {
    case .startSucceeded(let generation, let workers, let after):
      told(
        .startSucceeded, generation,
        "generation \(generation.number) serves with \(count(workers)) after \(milliseconds(after))")
    case .startFailed, .listenersNotOpened, .startDelayed, .fellBack, .fallbackFailed, .startedFromRecord, .proved,
      .crashLoop:
      eventOfRelease(notice)
    case .reloadRequested(let requester, let origin, let latched):
      told(.reloadRequested, nil, "\(wish(origin)) requested by \(text(requester))\(waiting(latched))")
    case .cancelRequested(let requester):
      told(.cancelRequested, nil, "end of the running reload requested by \(text(requester))")
    case .reloadBegan(let generation, let origin):
      told(
        .reloadBegan, generation,
        "reload to generation \(generation.number) began\(recorded(origin).map { ", with \($0)" } ?? "")")
    case .tookOver(let generation, let slots):
      told(.tookOver, generation, "generation \(generation.number) took over in \(text(slots))")
    case .reloadSucceeded(let generation, let after):
      told(
        .reloadSucceeded, generation,
        "reload to generation \(generation.number) succeeded after \(milliseconds(after))\(queues(generation))")
    case .reloadFailed(let generation, let failure, let after, let serving, let moved, let slots):
      told(
        .reloadFailed, generation, .error,
        "reload to generation \(generation.number) failed after \(milliseconds(after)): \(text(failure)); "
          + goesOn(generation, serving, moved, slots) + queues(generation))
    case .hookBegan(let hook, let generation): told(.hookBegan, generation, "\(hook.rawValue) began")
    case .hookSucceeded(let hook, let generation, let after):
      told(.hookSucceeded, generation, "\(hook.rawValue) succeeded after \(milliseconds(after))")
    case .hookFailed(let hook, let generation, let reason):
      told(
        .hookFailed, generation, .warning,
        "\(hook.rawValue) failed: \(reason); generation \(generation.number) goes on serving")
    case .scaled(let from, let to, let latched):
      told(.scaled, nil, "scaling from \(count(from)) to \(to)\(waiting(latched))")
    case .stalled(let missed):
      told(
        .stalled, nil, .warning,
        "nothing ran for \(missed.text), as when a virtual machine is paused or moved: deadlines are put off by as much"
      )
    case .queueNotEmpty(let slot, let timeout):
      told(
        .queueNotEmpty, nil, .warning,
        "slot \(slot) goes although connections may wait for it: its worker did not accept them within \(timeout.text)")
    case .scaleRefused(let at):
      told(
        .scaleRefused, nil, .warning,
        "the number of workers stays at \(at): it can be 1 to \(Settings.maximumWorkers)")
    case .stopRequested(let requester): told(.stopRequested, nil, "stop requested by \(text(requester))")
    case .stopAtOnceRequested(let requester):
      told(.stopAtOnceRequested, nil, "stop at once requested by \(text(requester))")
    case .workerStarted, .workerReady, .workerLost, .workerRecycled, .drainBegan, .drainEnded, .drainTimedOut,
      .remainsStopped:
      preconditionFailure("an event of a worker")
    }
  }

  private func eventOfRelease(_ notice: Notice) -> ServiceEvent {
    switch notice {
    case .startFailed(let failure): told(.startFailed, nil, .error, "start failed: \(text(failure))")
    case .listenersNotOpened(let reason, let retry):
      told(.listenersNotOpened, nil, .warning, "\(reason); trying again in \(retry.text)")
    case .startDelayed(let failure):
      told(
        .startDelayed, nil, .error,
        "the service can't be started yet, and nothing serves: \(text(failure)); trying on, until it works")
    case .fellBack(let generation, let record, let failed, let failure):
      told(
        .fellBack, generation, .error,
        "generation \(failed.number) can't be started: \(text(failure)); falling back to what generation "
          + "\(record.number) ran, which has served well, as generation \(generation.number); what is configured is started only"
          + " by a reload")
    case .fallbackFailed(let reason):
      told(.fallbackFailed, nil, .error, "cannot fall back: \(reason); going on with what is configured")
    case .startedFromRecord(let generation, let record, let divergence):
      told(
        .fellBack, generation, .error,
        "generation \(generation.number) starts with what generation \(record.number) ran, instead of what is configured: "
          + "\(divergence.words); a reload tries that")
    case .proved(let generation, let after):
      told(
        .proved, generation,
        "generation \(generation.number) has served for \(after.text): it is the last good one from now on")
    case .crashLoop(let generation, let target):
      told(
        .crashLoop, generation, .error,
        "workers of generation \(generation.number) keep failing; "
          + (target.map { "rolling back to what generation \($0.number) ran" }
            ?? "'roost rollback' brings back what served before"))
    default: preconditionFailure("an event of another kind")
    }
  }

  private func wish(_ origin: Origin) -> String {
    switch origin {
    case .configuration: "reload"
    case .record(let generation): "rollback to generation \(generation.number)"
    }
  }

  private func recorded(_ origin: Origin) -> String? {
    switch origin {
    case .configuration: nil
    case .record(let generation): "what generation \(generation.number) ran"
    }
  }

  private func told(_ kind: EventKind, _ id: WorkerID, _ text: String) -> ServiceEvent {
    told(kind, id, .info, text)
  }

  private func told(_ kind: EventKind, _ generation: Generation?, _ text: String) -> ServiceEvent {
    told(kind, generation, .info, text)
  }

  private func told(
    _ kind: EventKind, _ id: WorkerID, _ level: ServiceEvent.Level, _ text: String
  ) -> ServiceEvent {
    ServiceEvent(kind, level, text, generation: id.generation.number, slot: id.slot, pid: pid(id))
  }

  private func told(
    _ kind: EventKind, _ generation: Generation?, _ level: ServiceEvent.Level, _ text: String
  ) -> ServiceEvent {
    ServiceEvent(kind, level, text, generation: generation?.number)
  }

  /// The same failure in a line of its own, for the status.
  func reloadFailure(_ notice: Notice) -> String? {
    guard case .reloadFailed(let generation, let failure, _, _, _, _) = notice else { return nil }
    return "reload to generation \(generation.number) failed: \(text(failure))\(queues(generation))"
  }

  private func queues(_ generation: Generation) -> String {
    guard let evidence, evidence.generation == generation, let text = evidence.text else { return "" }
    return "; \(text)"
  }

  private func goesOn(_ generation: Generation, _ serving: Generation, _ moved: Int, _ slots: Int) -> String {
    // What is true now, and not only what the reload has left alone.
    switch condition {
    case .down: return "and nothing serves"
    case .degraded where moved == 0:
      return "generation \(serving.number) goes on, and not all of its workers serve"
    case .degraded, .whole: break
    }
    return moved == 0
      ? "generation \(serving.number) goes on serving"
      : "\(moved) of \(slots) slots moved to generation \(generation.number) before, the others go on as they are"
  }

  private func name(_ id: WorkerID) -> String {
    guard let pid = pid(id) else { return "worker of slot \(id.slot), generation \(id.generation.number)," }
    return "worker \(pid) (slot \(id.slot), generation \(id.generation.number))"
  }

  /// Where the generation is clear from the rest of the line.
  private func shortName(_ id: WorkerID) -> String {
    guard let pid = pid(id) else { return "worker of slot \(id.slot)" }
    return "worker \(pid) (slot \(id.slot))"
  }

  /// Why something was given up, in a part of a sentence.
  func reason(_ failure: Failure) -> String { text(failure) }

  private func text(_ failure: Failure) -> String {
    switch failure {
    case .notPrepared(let reason), .notListening(let reason): reason
    case .tookTooLong(let limit): "no generation got ready within \(limit.text), which is 'start-limit'"
    case .cancelled(let requester): "it was cancelled by \(text(requester))"
    case .replaced(let requester): "it was replaced by another, which \(text(requester)) asked for"
    case .hookFailed(let hook, let reason): "\(hook.rawValue) failed: \(reason)"
    case .notStarted(let id, let reason): "\(shortName(id)): \(reason)"
    case .exited(let id, let cause, .starting):
      "\(shortName(id)) \(text(cause)) before it was ready\(leaving(id, cause))"
    case .exited(let id, let cause, .settling): "\(shortName(id)) \(text(cause)) while it settled"
    case .exited(let id, let cause, .serving(let time)): "\(shortName(id)) \(text(cause)) after serving \(time.text)"
    case .stopped(let id): "\(shortName(id)) was stopped by a signal while it settled"
    case .probeFailed(let id, let timeout): "\(shortName(id)) \(unprobed(id, timeout))"
    case .notReady(let id, let timeout): "\(shortName(id)) was not ready within \(timeout.text)\(lacking(id))"
    }
  }

  /// Only who ends by itself, and as it should, has drained.
  private func drained(_ id: WorkerID, _ cause: ExitCause, _ after: Duration, _ killed: Bool) -> String {
    if isClean(cause, id) { return "drained and \(text(cause)) after \(milliseconds(after))" }
    if killed, case .signalled(SIGKILL, _) = cause { return "was killed \(milliseconds(after)) after \(signal(id))" }
    return "\(text(cause)) while it drained, \(milliseconds(after)) after \(signal(id))"
  }

  private func lost(_ id: WorkerID, _ failure: Failure) -> String {
    switch failure {
    case .notPrepared, .hookFailed, .notListening, .tookTooLong, .cancelled, .replaced: text(failure)
    case .notStarted(_, let reason): "\(name(id)) was not started: \(reason)"
    case .exited(_, let cause, .starting):
      "\(name(id)) \(text(cause)) before it was ready\(leaving(id, cause))"
    case .exited(_, let cause, .settling): "\(name(id)) \(text(cause)) while it settled"
    case .exited(_, let cause, .serving(let time)): "\(name(id)) \(text(cause)) after serving \(time.text)"
    case .stopped: "\(name(id)) was stopped by a signal while it settled"
    case .probeFailed(_, let timeout): "\(name(id)) \(unprobed(id, timeout))"
    case .notReady(_, let timeout): "\(name(id)) was not ready within \(timeout.text)\(lacking(id))"
    }
  }

  private func remains(_ id: WorkerID, _ timeout: Duration) -> String {
    let names = leftBehind(id)
    let (was, has) = names.count == 1 ? ("was", "has") : ("were", "have")
    return "\(names.asProcesses) behind, which \(was) sent \(signal(id)) and \(has) \(timeout.text)"
  }

  /// A server that puts itself into the background looks like one that fails, and isn't gone.
  private func leaving(_ id: WorkerID, _ cause: ExitCause) -> String {
    let names = leftBehind(id)
    if names.isEmpty { return "" }
    let hint = cause == .exited(status: 0) ? ": a worker has to stay in the foreground" : ""
    return ", and left \(names.asProcesses) behind\(hint)"
  }

  private func unprobed(_ id: WorkerID, _ timeout: Duration) -> String {
    "did not pass its probe within \(timeout.text)" + (probeReason(id).map { ": \($0)" } ?? "")
  }

  private func lacking(_ id: WorkerID) -> String { lacks(id).map { ": \($0)" } ?? "" }

  func text(_ cause: ExitCause) -> String { cause.text }

  /// A worker that dies by the stop signal it was sent has exited cleanly.
  private func isClean(_ cause: ExitCause, _ id: WorkerID) -> Bool {
    cause == .exited(status: 0) || cause == .signalled(stopSignal(id).number, dumpedCore: false)
  }

  private func signal(_ id: WorkerID) -> String { signalName(stopSignal(id).number) }

  private func consequence(_ then: Consequence) -> String {
    switch then {
    case .another(.zero): "; starting another"
    case .another(let delay): "; starting another in \(delay.text)"
    case .awaitsCandidate: "; the running reload brings another"
    case .startFails: ""
    }
  }

  private func text(_ requester: Requester) -> String {
    switch requester {
    case .signal(let number): signalName(number)
    case .worker(let id): name(id)
    case .terminal: "SIGHUP, since the terminal is gone"
    case .client(let pid, let uid): "process \(pid) of user \(uid)"
    case .crashLoop(let generation): "the master, since generation \(generation.number) keeps failing"
    }
  }

  private func waiting(_ latch: Latch?) -> String {
    switch latch {
    case .start: "; it runs when the start has ended"
    case .reload: "; it runs when the running reload has ended"
    case nil: ""
    }
  }

  private func text(_ slots: Range<Int>) -> String {
    slots.count == 1 ? "slot \(slots.lowerBound)" : "slots " + slots.map(String.init).joined(separator: ", ")
  }

  private func count(_ workers: Int) -> String { workers == 1 ? "1 worker" : "\(workers) workers" }
  private func milliseconds(_ duration: Duration) -> String { "\(duration.wholeMilliseconds) ms" }
}

extension Divergence {
  /// Why something else serves than what is configured, for people.
  var words: String {
    switch self {
    case .reloadFailed(let generation): "the reload to generation \(generation.number) has failed"
    case .fellBack: "it can't be used, or couldn't get ready"
    case .rolledBack: "it was refused before, by a failed reload or a rollback"
    }
  }
}

extension ExitCause {
  /// How a process ended, for people.
  var text: String {
    switch self {
    case .exited(let status): "exited with status \(status)"
    case .signalled(let signal, let dumpedCore):
      "was killed by \(signalName(signal))" + Self.remarks(signal, dumpedCore)
    }
  }

  private static func remarks(_ signal: Int32, _ dumpedCore: Bool) -> String {
    var remarks = dumpedCore ? ["core dumped"] : []
    // Nothing else tells: a process that is killed for a system call has no last words.
    if signal == SIGSYS {
      remarks.append("a system call that SystemCallFilter= or SystemCallArchitectures= of the unit doesn't allow")
    }
    return remarks.isEmpty ? "" : " (\(remarks.joined(separator: "; ")))"
  }
}

/// The name of a signal, such as `SIGTERM`.
func signalName(_ number: Int32) -> String {
  roost_signal_name(number).map { "SIG" + String(cString: $0) } ?? "signal \(number)"
}
