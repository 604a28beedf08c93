import CRoostLinux
import Glibc
import RoostConfiguration
import RoostCore

/// The words for what the operator should know.
struct NoticeText {
  let stopSignal: StopSignal
  /// The pid of a worker that has one.
  let pid: (WorkerID) -> pid_t?

  func line(for notice: Notice) -> (level: Log.Level, text: String) {
    switch notice {
    case .workerStarted(let id): (.info, "\(name(id)) started")
    case .workerReady(let id, let after): (.info, "\(name(id)) is ready after \(milliseconds(after))")
    case .workerLost(let id, let failure, let then): (.warning, "\(lost(id, failure))\(consequence(then))")
    case .drainBegan(let id, let timeout):
      (.info, "\(name(id)) was sent \(signalName(stopSignal.number)) and has \(timeout.text) to drain")
    case .drainEnded(let id, let cause, let after):
      (isClean(cause) ? .info : .warning, "\(name(id)) drained and \(text(cause)) after \(milliseconds(after))")
    case .drainTimedOut(let id, let after):
      (.warning, "\(name(id)) did not drain within \(after.text): killing its process group")
    case .remainsStopped(let id, let timeout):
      (
        .warning,
        "\(name(id)) left processes behind, which were sent \(signalName(stopSignal.number)) and have \(timeout.text)"
      )
    case .startSucceeded(let generation, let workers, let after):
      (.info, "generation \(generation.number) serves with \(count(workers)) after \(milliseconds(after))")
    case .startFailed(let failure): (.error, "start failed: \(text(failure))")
    case .reloadRequested(let requester, let latched):
      (.info, "reload requested by \(text(requester))\(waiting(latched))")
    case .reloadBegan(let generation): (.info, "reload to generation \(generation.number) began")
    case .tookOver(let generation, let slots):
      (.info, "generation \(generation.number) took over in \(text(slots))")
    case .reloadSucceeded(let generation, let after):
      (.info, "reload to generation \(generation.number) succeeded after \(milliseconds(after))")
    case .reloadFailed(let generation, let failure, let after, let serving, let moved, let slots):
      (
        .error,
        "reload to generation \(generation.number) failed after \(milliseconds(after)): \(text(failure)); "
          + goesOn(generation, serving, moved, slots)
      )
    case .scaled(let from, let to, let latched):
      (.info, "scaling from \(count(from)) to \(to)\(waiting(latched))")
    case .scaleRefused(let at):
      (.warning, "the number of workers stays at \(at): it can be 1 to \(Settings.maximumWorkers)")
    case .stopRequested(let requester): (.info, "stop requested by \(text(requester))")
    case .stopAtOnceRequested(let requester): (.info, "stop at once requested by \(text(requester))")
    }
  }

  /// The same failure in a line of its own, for the status.
  func reloadFailure(_ notice: Notice) -> String? {
    guard case .reloadFailed(let generation, let failure, _, _, _, _) = notice else { return nil }
    return "reload to generation \(generation.number) failed: \(text(failure))"
  }

  private func goesOn(_ generation: Generation, _ serving: Generation, _ moved: Int, _ slots: Int) -> String {
    moved == 0
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

  private func text(_ failure: Failure) -> String {
    switch failure {
    case .notPrepared(let reason): reason
    case .notStarted(let id, let reason): "\(shortName(id)): \(reason)"
    case .exited(let id, let cause, .starting): "\(shortName(id)) \(text(cause)) before it was ready"
    case .exited(let id, let cause, .settling): "\(shortName(id)) \(text(cause)) while it settled"
    case .exited(let id, let cause, .serving(let time)): "\(shortName(id)) \(text(cause)) after serving \(time.text)"
    case .notReady(let id, let timeout): "\(shortName(id)) was not ready within \(timeout.text)"
    }
  }

  private func lost(_ id: WorkerID, _ failure: Failure) -> String {
    switch failure {
    case .notPrepared(let reason): reason
    case .notStarted(_, let reason): "\(name(id)) was not started: \(reason)"
    case .exited(_, let cause, .starting): "\(name(id)) \(text(cause)) before it was ready"
    case .exited(_, let cause, .settling): "\(name(id)) \(text(cause)) while it settled"
    case .exited(_, let cause, .serving(let time)): "\(name(id)) \(text(cause)) after serving \(time.text)"
    case .notReady(_, let timeout): "\(name(id)) was not ready within \(timeout.text)"
    }
  }

  private func text(_ cause: ExitCause) -> String {
    switch cause {
    case .exited(let status): "exited with status \(status)"
    case .signalled(let signal, let dumpedCore):
      "was killed by \(signalName(signal))" + (dumpedCore ? " (core dumped)" : "")
    }
  }

  /// A worker that dies by the stop signal it was sent has exited cleanly.
  private func isClean(_ cause: ExitCause) -> Bool {
    cause == .exited(status: 0) || cause == .signalled(stopSignal.number, dumpedCore: false)
  }

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

/// The name of a signal, such as `SIGTERM`.
func signalName(_ number: Int32) -> String {
  roost_signal_name(number).map { "SIG" + String(cString: $0) } ?? "signal \(number)"
}
