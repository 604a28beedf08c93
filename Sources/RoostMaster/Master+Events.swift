import CRoostLinux
import Glibc
import RoostCore
import RoostHandoff

extension Master {
  /// Reads every exit there is: signals coalesce, so one SIGCHLD may stand for many.
  func reap() {
    var exits: [(WorkerProcess, ExitCause)] = []
    var ended: [(HookProcess, ExitCause)] = []
    var others: [(pid_t, ExitCause)] = []
    var exit = roost_exit()
    while roost_reap(&exit) == 1 {
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
    for (process, cause) in exits {
      // What it said last is heard first.
      receive(from: process, last: true)
      process.output.finish()
      process.state = .remains
      handle(.workerExited(process.id, cause, remains: process.groupIsAlive))
    }
    for (hook, cause) in ended { hookExited(hook, cause) }
    for (pid, cause) in others { prober.exited(pid, cause, words.text(cause)) }
    // Remains are the master's children by now, or children of such: their group can only vanish with an exit.
    for process in processes where process.state == .remains && !process.groupIsAlive {
      handle(.workerRemainsGone(process.id))
    }
  }

  /// Forgets the workers of which nothing is awaited any more.
  func forgetGone() {
    processes.removeAll { process in
      process.state == .remains && !supervisor.retirees.contains { $0.id == process.id }
    }
    relay.forgetEnded()
    prober.forget { id in !supervisor.awaitsProbe(id) }
    acceptance.forget { id in !supervisor.isAwaitingReadiness(of: id) }
  }

  func watch(_ process: WorkerProcess) {
    do {
      try process.notifySocket.watch(in: loop) { [unowned self, unowned process] in receive(from: process, last: false)
      }
      try process.readinessPipe?.watch(in: loop) { [unowned self, unowned process] in
        if process.readinessPipe?.receive() == true { handle(.workerReady(process.id)) }
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
    process.notifySocket.receive(last: last, isAcceptable: process.isAcceptableSender) { apply($0, from: process) }
    if last, process.einhornChannel?.receive() == true { acknowledged(process) }
    if last, process.readinessPipe?.receive() == true { handle(.workerReady(process.id)) }
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
      } else {
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
