import CRoostMaster
import Glibc
import RoostCore

/// What the words are made of.
extension NoticeText {
  func wish(_ origin: Origin) -> String {
    switch origin {
    case .configuration: "reload"
    case .record(let generation): "rollback to generation \(generation.number)"
    }
  }

  func recorded(_ origin: Origin) -> String? {
    if case .record(let generation) = origin { "what generation \(generation.number) ran" } else { nil }
  }

  /// The same failure on its own line, for the status.
  func reloadFailure(_ notice: Notice) -> String? {
    guard case .reloadFailed(let generation, let failure, _, _, _, _) = notice else { return nil }
    return "reload to generation \(generation.number) failed: \(text(failure))\(queues(generation))"
  }

  func queues(_ generation: Generation) -> String {
    guard let evidence, evidence.generation == generation, let text = evidence.text else { return "" }
    return "; \(text)"
  }

  func goesOn(_ generation: Generation, _ serving: Generation, _ moved: Int, _ slots: Int) -> String {
    // What is true now, and not only what the reload has left as it was.
    switch condition {
    case .down: return "and nothing serves"
    case .degraded where moved == 0:
      return "generation \(serving.number) keeps running, but not all of its workers serve"
    case .degraded, .whole: break
    }
    return moved == 0
      ? "generation \(serving.number) keeps serving"
      : "\(moved) of \(slots) slots had moved to generation \(generation.number), the others stay as they are"
  }

  func name(_ id: WorkerID) -> String {
    guard let pid = pid(id) else { return "worker of slot \(id.slot), generation \(id.generation.number)," }
    return "worker \(pid) (slot \(id.slot), generation \(id.generation.number))"
  }

  /// The short name, for when the rest of the line names the generation.
  func shortName(_ id: WorkerID) -> String {
    guard let pid = pid(id) else { return "worker of slot \(id.slot)" }
    return "worker \(pid) (slot \(id.slot))"
  }

  /// Why a new binary of the master doesn't take over.
  func reason(_ failure: UpgradeFailure) -> String {
    switch failure {
    case .refused(let reason): reason
    case .tookTooLong(let limit): "\(program) didn't answer within \(limit.text)"
    }
  }

  /// Why something was given up, in a part of a sentence.
  func text(_ failure: Failure) -> String { text(failure, shortName) }

  private func text(_ failure: Failure, _ name: (WorkerID) -> String) -> String {
    switch failure {
    case .notPrepared(let reason), .notListening(let reason): reason
    case .tookTooLong(let limit): "no generation got ready within \(limit.text), which is 'start-limit'"
    case .cancelled(let requester): "it was cancelled by \(text(requester))"
    case .replaced(let requester): "it was replaced by another one, requested by \(text(requester))"
    case .overtaken(let generation): "the reload to generation \(generation.number) starts another"
    case .hookFailed(let hook, let reason): "\(hook.rawValue) failed: \(reason)"
    case .notStarted(let id, let reason): "\(name(id)): \(reason)"
    case .exited(let id, let cause, .starting): "\(name(id)) \(cause.text) before it was ready\(leaving(id, cause))"
    case .exited(let id, let cause, .settling): "\(name(id)) \(cause.text) while it settled"
    case .exited(let id, let cause, .serving(let time)): "\(name(id)) \(cause.text) after serving \(time.text)"
    case .stopped(let id): "\(name(id)) was stopped by a signal while it settled"
    case .probeFailed(let id, let timeout):
      "\(name(id)) did not pass its probe within \(timeout.text)" + (probeReason(id).map { ": \($0)" } ?? "")
    case .notReady(let id, let timeout):
      "\(name(id)) was not ready within \(timeout.text)" + (lacks(id).map { ": \($0)" } ?? "")
    }
  }

  /// The same for a worker that wasn't named before.
  func lost(_ id: WorkerID, _ failure: Failure) -> String {
    switch failure {
    case .overtaken: "\(name(id)) doesn't take over: \(text(failure))"
    case .notStarted(_, let reason): "\(name(id)) was not started: \(reason)"
    default: text(failure, name)
    }
  }

  /// Only a worker that ends on its own, and as it should, has drained.
  func drained(_ id: WorkerID, _ cause: ExitCause, _ after: Duration, _ killed: Bool) -> String {
    if isClean(cause, id) { return "drained and \(cause.text) after \(milliseconds(after))" }
    if killed, case .signalled(SIGKILL, _) = cause { return "was killed \(milliseconds(after)) after \(signal(id))" }
    return "\(cause.text) while it drained, \(milliseconds(after)) after \(signal(id))"
  }

  func remains(_ id: WorkerID, _ timeout: Duration) -> String {
    let names = leftBehind(id)
    let (was, has) = names.count == 1 ? ("was", "has") : ("were", "have")
    return "\(names.asProcesses) behind, which \(was) sent \(signal(id)) and \(has) \(timeout.text)"
  }

  /// A server that puts itself into the background looks like one that fails, but isn't gone.
  func leaving(_ id: WorkerID, _ cause: ExitCause) -> String {
    let names = leftBehind(id)
    if names.isEmpty { return "" }
    let hint = cause == .exited(status: 0) ? ": a worker has to stay in the foreground" : ""
    return ", and left \(names.asProcesses) behind\(hint)"
  }

  /// A worker that dies by the stop signal it was sent has exited cleanly.
  func isClean(_ cause: ExitCause, _ id: WorkerID) -> Bool {
    cause == .exited(status: 0) || cause == .signalled(stopSignal(id).number, dumpedCore: false)
  }

  func signal(_ id: WorkerID) -> String { signalName(stopSignal(id).number) }

  func consequence(_ then: Consequence) -> String {
    switch then {
    case .another(.zero): "; starting another"
    case .another(let delay): "; starting another in \(delay.text)"
    case .awaitsCandidate: "; its successor is on its way"
    case .startFails: ""
    }
  }

  func text(_ requester: Requester) -> String {
    switch requester {
    case .signal(let number): signalName(number)
    case .worker(let id): name(id)
    case .terminal: "SIGHUP, because the terminal is gone"
    case .client(let pid, let uid): "process \(pid) of user \(uid)"
    case .crashLoop(let generation): "the master, because generation \(generation.number) keeps failing"
    }
  }

  func waiting(_ latch: Latch?) -> String {
    switch latch {
    case .start: "; it runs when the start has ended"
    case .reload: "; it runs when the running reload has ended"
    case nil: ""
    }
  }

  func text(_ slots: Range<Int>) -> String {
    slots.count == 1 ? "slot \(slots.lowerBound)" : "slots " + slots.map(String.init).joined(separator: ", ")
  }

  func count(_ workers: Int) -> String { workers == 1 ? "1 worker" : "\(workers) workers" }
  func milliseconds(_ duration: Duration) -> String { "\(duration.wholeMilliseconds) ms" }
}

extension Divergence {
  /// Why something other than what is configured serves, in words.
  var words: String {
    switch self {
    case .reloadFailed(let generation): "the reload to generation \(generation.number) has failed"
    case .fellBack: "it can't be used, or couldn't get ready"
    case .rolledBack: "it was refused before, by a failed reload or a rollback"
    }
  }
}

extension ExitCause {
  /// How a process ended, in words.
  var text: String {
    switch self {
    case .exited(let status): "exited with status \(status)"
    case .signalled(let signal, let dumpedCore):
      "was killed by \(signalName(signal))" + Self.remarks(signal, dumpedCore)
    }
  }

  private static func remarks(_ signal: Int32, _ dumpedCore: Bool) -> String {
    var remarks = dumpedCore ? ["core dumped"] : []
    // Nothing else says so: a process that is killed for a system call has no last words.
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
