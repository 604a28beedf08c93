import Glibc
import RoostConfiguration
import RoostControl
import RoostCore

/// The words for what the operator should know.
struct NoticeText {
  /// The signal that tells a worker to drain.
  let stopSignal: (WorkerID) -> StopSignal
  /// The pid of a worker that has one.
  let pid: (WorkerID) -> pid_t?
  /// What is known of the accept queues during the last reload that ended.
  let evidence: ReloadEvidence?
  /// What a worker that didn't get ready lacks, if that is known.
  let lacks: (WorkerID) -> String?
  /// Why a worker hasn't passed its probe.
  let probeReason: (WorkerID) -> String?
  /// The draining processes that an exited worker has left behind.
  let leftBehind: (WorkerID) -> [String]
  let condition: Condition
  /// The path of the master's binary.
  let program: String

  /// What is reported of a notice: its kind, which worker or generation it is about, its level, and the words.
  func event(of notice: Notice) -> ServiceEvent {
    switch notice {
    case .workerStarted(let id): told(.workerStarted, id, "\(name(id)) started")
    case .workerReady(let id, let after): told(.workerReady, id, "\(name(id)) is ready after \(milliseconds(after))")
    case .workerLost(let id, let failure, let then):
      told(.workerLost, id, .warning, "\(lost(id, failure))\(consequence(then))")
    case .workerRecycled(let id, let after, let then):
      told(.workerRecycled, id, "\(name(id)) ended after serving \(after.text), with status 0\(consequence(then))")
    case .replacementRequested(let slot, let requester):
      told(.replacementRequested, nil, "another worker for slot \(slot) requested by \(text(requester))")
    case .replacementRefused(let slot, let requester):
      told(
        .replacementRefused, nil, .warning,
        "no other worker is started for slot \(slot), as requested by \(text(requester)): no worker serves there, or "
          + "another one is already being started")
    case .replaced(let id): told(.replaced, id, "\(name(id)) took over")
    case .replacementFailed(let id, let failure):
      told(.replacementFailed, id, .warning, "\(lost(id, failure)); it doesn't take over")
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
    case .startSucceeded(let generation, let workers, let after):
      told(
        .startSucceeded, generation,
        "generation \(generation.number) serves with \(count(workers)) after \(milliseconds(after))")
    case .startFailed(let failure): told(.startFailed, nil, .error, "start failed: \(text(failure))")
    case .listenersNotOpened(let reason, let retry):
      told(.listenersNotOpened, nil, .warning, "\(reason); trying again in \(retry.text)")
    case .startDelayed(let failure):
      told(
        .startDelayed, nil, .error,
        "the service can't be started yet, and nothing serves: \(text(failure)); trying again until it works")
    case .fellBack(let generation, let record, let failed, let failure):
      told(
        .fellBack, generation, .error,
        "generation \(failed.number) can't be started: \(text(failure)); falling back to what generation "
          + "\(record.number) ran, which served well, as generation \(generation.number); only a reload starts what is"
          + " configured")
    case .fallbackFailed(let reason):
      told(.fallbackFailed, nil, .error, "cannot fall back: \(reason); continuing with what is configured")
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
    case .reloadRequested(let requester, let origin, let latched):
      told(.reloadRequested, nil, "\(wish(origin)) requested by \(text(requester))\(waiting(latched))")
    case .cancelRequested(let requester):
      told(.cancelRequested, nil, "end of the running reload requested by \(text(requester))")
    case .reloadBegan(let generation, let origin):
      told(
        .reloadBegan, generation,
        "reload to generation \(generation.number) began\(recorded(origin).map { ", with \($0)" } ?? "")")
    case .hookBegan(let hook, let generation): told(.hookBegan, generation, "\(hook.rawValue) began")
    case .hookSucceeded(let hook, let generation, let after):
      told(.hookSucceeded, generation, "\(hook.rawValue) succeeded after \(milliseconds(after))")
    case .hookFailed(let hook, let generation, let reason):
      told(
        .hookFailed, generation, .warning,
        "\(hook.rawValue) failed: \(reason); generation \(generation.number) keeps serving")
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
    case .scaled(let from, let to, let latched):
      told(.scaled, nil, "scaling from \(count(from)) to \(to)\(waiting(latched))")
    case .queueNotEmpty(let slot, let timeout):
      told(
        .queueNotEmpty, nil, .warning,
        "slot \(slot) is removed although connections may be waiting for it: its worker did not accept them within"
          + " \(timeout.text)")
    case .scaleRefused(let at):
      told(
        .scaleRefused, nil, .warning,
        "the number of workers stays at \(at): it can be 1 to \(Settings.maximumWorkers)")
    case .stalled(let missed):
      told(
        .stalled, nil, .warning,
        "nothing ran for \(missed.text), as when a virtual machine is paused or moved: deadlines are postponed by as"
          + " much")
    case .upgradeRequested(let requester):
      told(.upgradeBegan, nil, "upgrade of the master to \(program) requested by \(text(requester))")
    case .upgradeRefused(let failure):
      told(
        .upgradeRefused, nil, .error,
        "upgrade of the master refused: \(reason(failure)); version \(Version.number) keeps running")
    case .upgraded(let version):
      told(.upgraded, nil, "upgraded the master from version \(version) to version \(Version.number)")
    case .stopRequested(let requester): told(.stopRequested, nil, "stop requested by \(text(requester))")
    case .stopAtOnceRequested(let requester):
      told(.stopAtOnceRequested, nil, "stop at once requested by \(text(requester))")
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
    ServiceEvent(
      kind, level, text, generation: id.generation.number, slot: id.slot, pid: pid(id), at: Clock.time())
  }

  private func told(
    _ kind: EventKind, _ generation: Generation?, _ level: ServiceEvent.Level, _ text: String
  ) -> ServiceEvent {
    ServiceEvent(kind, level, text, generation: generation?.number, at: Clock.time())
  }
}
