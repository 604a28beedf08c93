import Glibc
import RoostControl
import RoostCore

/// How workers end.
extension Workers {
  /// Children of the master were reaped. To be called before anything else is started: their pids may belong to others
  /// from then on. Returns the workers among them.
  func wereReaped(_ exits: [Children.Exit]) -> [(process: WorkerProcess, cause: ExitCause)] {
    var own: [(WorkerProcess, ExitCause)] = []
    for exit in exits {
      strays.reaped(exit.pid)
      guard let process = processes.first(where: { $0.pid == exit.pid && $0.state == .running }) else { continue }
      process.state = .reaped
      own.append((process, exit.cause))
    }
    return own
  }

  /// Reports workers that were reaped, after what they said before was heard.
  func tell(of exits: [(process: WorkerProcess, cause: ExitCause)]) {
    if exits.isEmpty { return }
    lookForStrays()
    for (process, cause) in exits {
      process.conversation.listenLast()
      process.output.finish()
      process.state = .remains
      findRemains(of: process)
      heard(.workerExited(process.id, cause, remains: process.hasRemains))
    }
  }

  /// Children that aren't workers were reaped: what probes them, what looks at them, and what they have left behind.
  /// That was the master's child by then, or a child of such a child: a group can only vanish with an exit.
  func othersWereReaped(_ exits: [Children.Exit]) {
    for exit in exits { prober.exited(exit.pid, exit.cause, exit.cause.text) }
    forgetStrays(Set(exits.map(\.pid)))
  }

  /// A child was stopped by a signal, or continues: perhaps a worker.
  func take(_ stop: Children.Stop) {
    guard let process = processes.first(where: { $0.pid == stop.pid && $0.state == .running }) else { return }
    if let signal = stop.signal { wasStopped(process, by: signal) } else { goesOn(process) }
  }

  private func wasStopped(_ process: WorkerProcess, by signal: Int32) {
    heard(.workerStopped(process.id))
    let decision = process.stopNews.stopped(at: Clock.now())
    if decision == .leaveOut { return }
    let last = "; further stops of it aren't logged until it has run for a minute"
    tell(
      process.event(
        .workerStopped, .warning,
        "was stopped by \(signalName(signal)): it does nothing until SIGCONT" + (decision == .tellAsLast ? last : "")))
  }

  private func goesOn(_ process: WorkerProcess) {
    heard(.workerContinued(process.id))
    guard process.stopNews.wentOn(at: Clock.now()) else { return }
    tell(process.event(.workerContinued, .info, "continues"))
  }

  /// Forgets the workers of which nothing more is expected. `awaitsExit` is true for those whose exit the supervisor
  /// hasn't been told.
  func forgetGone(_ supervisor: Supervisor, awaitsExit: (WorkerID) -> Bool) {
    processes.removeAll { process in
      let isGone =
        process.state == .remains && !supervisor.retirees.contains { $0.id == process.id } && !awaitsExit(process.id)
      if isGone { rememberOutput(of: process) }
      if isGone, let cgroup = process.cgroup { cgroups?.remove(cgroup) }
      return isGone
    }
    prober.forget { id in !supervisor.awaitsProbe(id) }
    acceptance.forget { id in !supervisor.isAwaitingReadiness(of: id) }
    retirees.forget { id in !supervisor.retirees.contains { $0.id == id && $0.stage != .killed } }
  }
}

extension WorkerProcess {
  func event(_ kind: EventKind, _ level: ServiceEvent.Level, _ text: String) -> ServiceEvent {
    ServiceEvent(
      kind, level, "\(title) \(text)", generation: id.generation.number, slot: id.slot, pid: pid, at: Clock.time())
  }
}
