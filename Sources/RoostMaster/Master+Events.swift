import CRoostLinux
import Glibc
import RoostCore
import RoostHandoff

extension Master {
  /// How many exits are read before others get their turn: a worker may leave behind children without end.
  private static let mostExits = 256
  /// How many stops, which any child that a worker has left behind may bring about as often as it likes.
  private static let mostStops = 256

  /// Reads every exit there is: signals coalesce, so one SIGCHLD may stand for many.
  func reap() {
    var count = 0
    var exits: [(WorkerProcess, ExitCause)] = []
    var ended: [(HookProcess, ExitCause)] = []
    var others: [(pid_t, ExitCause)] = []
    var exit = roost_exit()
    while count < Self.mostExits, roost_reap(&exit) == 1 {
      count += 1
      strays.reaped(exit.pid)
      acceptance.reaped(exit.pid)
      if let hook = hooks.first(where: { $0.pid == exit.pid && !$0.isReaped }) {
        hook.isReaped = true
        ended.append((hook, ExitCause(exit)))
      }
      guard let process = processes.first(where: { $0.pid == exit.pid && $0.state == .running }) else {
        others.append((exit.pid, ExitCause(exit)))
        continue
      }
      process.state = .reaped
      exits.append((process, ExitCause(exit)))
    }
    if count == Self.mostExits { reapLater() }
    // There may be room for another process by now.
    if count > 0 { PassedDescriptors.closeUnclosed() }
    if !exits.isEmpty { lookForStrays() }
    for (process, cause) in exits {
      // What it said last is heard first.
      receive(from: process, last: true)
      process.output.finish()
      process.state = .remains
      findRemains(of: process)
      handle(.workerExited(process.id, cause, remains: process.hasRemains))
    }
    for (hook, cause) in ended { hookExited(hook, cause) }
    for (pid, cause) in others { prober.exited(pid, cause, words.text(cause)) }
    // Remains are the master's children by now, or children of such: their group can only vanish with an exit.
    forgetStrays(Set(others.map(\.0)))
    outsiders.reaped(Set(others.map(\.0)))
    retireeWatch.reaped(Set(others.map(\.0)))
    takeStops()
  }

  /// Tells which workers were stopped, by whomever, and which go on.
  private func takeStops() {
    var count = 0
    var stop = roost_stop()
    while count < Self.mostStops, roost_take_stop(&stop) == 1 {
      count += 1
      metricsServer?.forgetText()
      guard let process = processes.first(where: { $0.pid == stop.pid && $0.state == .running }) else { continue }
      if stop.is_stopped { wasStopped(process, by: stop.signal) } else { goesOn(process) }
    }
    if count == Self.mostStops { reapLater() }
  }

  /// Reads the rest when others have had their turn: once, whoever asks for it.
  private func reapLater() {
    guard !isReapDue else { return }
    isReapDue = true
    loop.atRoundEnd { [unowned self] in
      isReapDue = false
      reap()
    }
  }

  private func wasStopped(_ process: WorkerProcess, by signal: Int32) {
    handle(.workerStopped(process.id))
    let decision = process.stopNews.stopped(at: Clock.now())
    if decision == .leaveOut { return }
    let last = "; no more of that is told of it until it has gone on for a minute"
    tell(
      ServiceEvent(
        .workerStopped, .warning,
        "\(process.title) was stopped by \(signalName(signal)): it does nothing until SIGCONT"
          + (decision == .tellAsLast ? last : ""),
        generation: process.id.generation.number, slot: process.id.slot, pid: process.pid))
  }

  private func goesOn(_ process: WorkerProcess) {
    handle(.workerContinued(process.id))
    guard process.stopNews.wentOn(at: Clock.now()) else { return }
    tell(
      ServiceEvent(
        .workerContinued, .info, "\(process.title) goes on", generation: process.id.generation.number,
        slot: process.id.slot, pid: process.pid))
  }

  /// Forgets the workers of which nothing is awaited any more.
  func forgetGone() {
    processes.removeAll { process in
      let isGone =
        process.state == .remains && !supervisor.retirees.contains { $0.id == process.id } && !awaitsExit(process.id)
      if isGone { rememberOutput(of: process) }
      if isGone, let cgroup = process.cgroup { cgroups?.remove(cgroup) }
      return isGone
    }
    relay.forgetEnded()
    prober.forget { id in !supervisor.awaitsProbe(id) }
    acceptance.forget { id in !supervisor.isAwaitingReadiness(of: id) }
    forgetRetirees()
  }

  /// Whether the supervisor has still to be told that a worker has exited: a stall may come first.
  private func awaitsExit(_ id: WorkerID) -> Bool {
    events.contains { if case .workerExited(id, _, _) = $0 { true } else { false } }
  }

  func watch(_ process: WorkerProcess) {
    do {
      try process.notifySocket.watch(in: loop) { [unowned self, unowned process] in receive(from: process, last: false)
      }
      try process.readinessPipe?.watch(in: loop) { [unowned self, unowned process] in
        readReadinessPipe(of: process)
      }
      try process.einhornChannel?.stream.watch(in: loop) { [unowned self, unowned process] in
        if process.einhornChannel?.receive() == true { acknowledged(process) }
      }
    } catch {
      // Unheard, it misses its ready timeout, and that has its policy.
      log.error("\(error)")
    }
  }

  private func receive(from process: WorkerProcess, last: Bool) {
    let trouble = process.notifySocket.receive(last: last, isAcceptable: process.isAcceptableSender) {
      apply($0, from: process)
    }
    if let trouble { log.warning("\(process.title) \(trouble.words)") }
    if last, process.einhornChannel?.receive() == true { acknowledged(process) }
    if last { readReadinessPipe(of: process) }
  }

  private func readReadinessPipe(of process: WorkerProcess) {
    switch process.readinessPipe?.receive() {
    case .line: handle(.workerReady(process.id))
    case .flood:
      log.warning(
        "worker \(process.pid) (slot \(process.id.slot), generation \(process.id.generation.number)) has written "
          + "\(ReadinessPipe.maximumLength) bytes to its readiness pipe and no line: nothing more is read of it")
    case .nothing, nil: break
    }
  }

  private func apply(_ message: NotifyMessage, from process: WorkerProcess) {
    acceptance.spoke(process.id)
    if let time = message.extendTimeoutMicroseconds {
      // More than a week is no time that anybody waits; the sum with now must not overflow.
      handle(.workerAskedForTime(process.id, .microseconds(min(time, 604_800_000_000))))
    }
    if let status = message.status { process.tellStatus(status) }
    if message.isReady, process.release.configuration.readinessChannel.isByMessage { handle(.workerReady(process.id)) }
    if message.requestsReload {
      if process.release.configuration.allowsWorkerReload {
        handle(.reloadRequested(by: .worker(process.id)))
      } else if !process.hasAskedInVain {
        // Once: whatever a worker repeats mustn't fill the log.
        process.hasAskedInVain = true
        log.warning("worker \(process.pid) asked for a reload, which --allow-worker-reload would allow")
      }
    }
  }
}

extension ExitCause {
  init(_ exit: roost_exit) {
    self =
      exit.signalled ? .signalled(exit.number, dumpedCore: exit.dumped_core) : .exited(status: exit.number)
  }
}
