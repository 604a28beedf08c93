import Glibc
import RoostContract
import RoostCore
import RoostSystemd

/// What the loop listens to.
extension Master {
  func watch() throws {
    channel.notKept = { [unowned self] in listeners.wasNotKept($0) }
    try watchdog?.prepare(in: loop)
    // After what workers say, before the deadlines: a last word precedes the exit, and both precede a timeout. One that the
    // loop has taken when the master executes its new binary isn't missed: that reads all exits.
    try watch(SIGCHLD, .early, rest: .last) { master, _ in master.reap() }
    try watch(SIGHUP) { $0.hungUp(by: $1) }
    try watch(SIGTERM, rest: .never) { master, _ in master.handle(.stopRequested(by: .signal(SIGTERM))) }
    try watch(SIGINT, rest: .never) { master, _ in master.interrupted() }
    try watch(SIGQUIT, rest: .never) { master, _ in master.handle(.stopAtOnceRequested(by: .signal(SIGQUIT))) }
    try watch(SIGTTIN) { master, _ in master.handle(.scaleRequested(by: 1)) }
    try watch(SIGTTOU) { master, _ in master.handle(.scaleRequested(by: -1)) }
    // It would kill the master. It means that log files are to be reopened, and there are none.
    try watch(SIGUSR1) { _, _ in }
    try watch(SIGUSR2) { master, _ in master.handle(.upgradeRequested(by: .signal(SIGUSR2))) }
    try watchParts()
  }

  private func watchParts() throws {
    try deadlines.watch(in: loop) { [unowned self] in handle(.timePassed) }
    try leftQueues.watch(in: loop) { [unowned self] in handle(.queueEmpty($0)) }
    try steering.watch(in: loop, slotCount: { [unowned self] in supervisor.slots.count }) { [unowned self] in
      handle(.queuesEmpty(from: $0))
    }
    try outsiders.watch(in: loop) { [unowned self] in tell($0) }
    try workers.watch(
      startProbe: { [unowned self] id, release, command, address throws(MasterError) in
        try workers.spawner.run(
          command, as: .probe, preparer.resolver, release: release,
          [
            "\(WorkerEnvironment.slot)=\(id.slot)", "\(WorkerEnvironment.generation)=\(id.generation.number)",
            "\(WorkerEnvironment.probeAddress)=\(address)",
          ])
      },
      seen: { [unowned self] process, sight in
        metricsServer?.forgetText()
        workers.saw(process, sight, supervisor, at: now)
      }, tell: { [unowned self] in tell($0) }, { [unowned self] in handle($0) })
    hooks.watch { [unowned self] in handle(.hookEnded($0, $1, failure: $2)) }
    preparer.watch { [unowned self] in prepared($0, $1) }
    try clients.server?.serve { [unowned self] in answer($0, $1) }
    metricsServer?.serve { [unowned self] in metricsText($0) }
    try queueSampler.watch(in: loop) { [unowned self] in listeners.sample() }
  }

  private func watch(
    _ signal: Int32, _ priority: EventLoop.Priority = .normal, rest: BoundedSource.Rest = .unheard,
    _ handler: @escaping (Master, SignalSender) -> Void
  ) throws(SystemdError) {
    sources.append(
      try BoundedSource(signal: signal, in: loop, priority: priority, rest: rest) { [unowned self] in
        handler(self, $0)
      })
  }

  /// An operator who has pressed Ctrl-C and sees that nothing ends is about to press it again, and should know what
  /// that does.
  private func interrupted() {
    let isFirst = !supervisor.isStopping
    handle(.stopRequested(by: .signal(SIGINT)))
    guard isFirst, verdict == nil, isatty(STDERR_FILENO) == 1 else { return }
    log.info(
      "waiting for the workers to drain; Ctrl-C again stops at once, and requests that they are answering are lost")
  }

  /// From a process, it asks for a reload. From the kernel, it means that the terminal is gone, and an operator who
  /// closes it expects the service to end with it, unless it was started with nohup(1).
  private func hungUp(by sender: SignalSender) {
    switch terminal.meaning(ofHangUpBy: sender) {
    case .request: handle(.reloadRequested(by: .signal(SIGHUP)))
    case .terminalGone: handle(.stopRequested(by: .terminal))
    case .ignored:
      log.info("the terminal is gone; SIGHUP is ignored, because the master was started with it ignored, as by nohup")
    }
  }
}
