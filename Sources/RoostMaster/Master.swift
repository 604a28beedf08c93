import CRoostLinux
import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostMetrics
import RoostSystemd

/// The long-lived process: turns what happens into events, and carries out what the supervisor orders. It holds no
/// policy. Single-threaded: everything is called by the loop.
public final class Master {
  let configuration: Configuration
  /// What reads the configuration anew on reload, if there is something to be read.
  let reader: String?
  /// The path of the binary that an upgrade executes.
  let program: String
  let startDirectory: String
  let openFiles: OpenFiles
  let log: Log
  let loop: EventLoop
  let upstream: Upstream
  let spawner: Spawner
  let relay: OutputRelay
  let resolver: ReleaseResolver
  let control: ControlServer?
  let metricsServer: MetricsServer?
  let reloadWatch = ReloadWatch()
  /// What has happened since the service was started.
  var counters = ServiceCounters()
  let acceptance: Acceptance
  /// Workers that have said something to a former binary, and so are awaited to say that they are ready.
  private(set) var spoken: Set<WorkerID> = []
  let prober: Prober
  /// Where einhorn's clients acknowledge, once workers ask for it.
  var einhorn: EinhornSocket?
  /// When the service was started, in seconds since 1970.
  let started: Int
  var supervisor: Supervisor
  /// All that are open, also those that only former generations have.
  var listeners: [Listener]
  /// What systemd has passed and nobody has taken yet.
  var adoption: Adoption
  let fdStore: FdStore
  /// Workers whose drain waits until what is queued on a removed listener is accepted.
  var heldDrains: [HeldDrain] = []
  var heldDrainTimer: Timer?
  /// The workers that run, and those that have left processes behind.
  var processes: [WorkerProcess] = []
  /// The operator's commands that run.
  var hooks: [HookProcess] = []
  var preparation: Preparation?
  var upgrade: Upgrade?
  /// What the workers of each generation run that has any, or may get one.
  var releases: [Generation: Release]
  /// How many workers of each slot were lost.
  var restarts: [Int: Int] = [:]
  /// What came of the last reload.
  var lastReload: ReloadVerdict?
  /// What the process that is being reported on wrote last, where it isn't a worker.
  var lastWords: [String] = []
  var events: [Event] = []
  var isHandling = false
  var verdict: Verdict?
  private var sources: [Source] = []
  private var timer: Timer?
  private var stallWatch = StallWatch()
  /// Looks at the queues of slots that go, while any do.
  var queueWatch: QueueWatch?
  var queueTimer: Timer?

  /// Checks and opens everything that the configuration asks for. Nothing is started yet.
  private init(_ handover: Handover, _ inheritance: Inheritance, log: Log) throws(MasterError) {
    let configuration = handover.configuration
    self.configuration = configuration
    self.log = log
    acceptance = Acceptance(log: log)
    reader = handover.reader
    program = handover.program
    openFiles = inheritance.openFiles
    started = time(nil)
    try Acceptance.check(configuration.worker)
    startDirectory = try WorkingDirectory.logical()
    let resolver = try ReleaseResolver()
    self.resolver = resolver
    let release = try resolver.resolve(configuration.worker)
    releases = [Generation(number: 1): release]
    fdStore = FdStore(log: log)
    do {
      let loop = try EventLoop()
      self.loop = loop
      prober = Prober(loop: loop)
      // Before the listeners: a second master of the same name must not take them from the first.
      control = try configuration.control.map { try ControlServer($0, service: configuration.name, loop: loop, log) }
      metricsServer = try configuration.metrics.map { try MetricsServer($0, loop: loop, log) }
      adoption = Adoption(try inheritance.descriptors())
      release.listeners = try Self.listeners(for: configuration.listeners, beside: [], &adoption)
      listeners = release.listeners.map(\.listener)
    } catch let error as MasterError {
      throw error
    } catch {
      throw MasterError("\(error)")
    }
    if configuration.worker.readinessChannel == .automatic, !listeners.isEmpty,
      let obstacle = Acceptance.obstacle(configuration.worker)
    {
      log.info("workers can't be seen to accept, so only READY=1 counts: \(obstacle)")
    }
    upstream = Upstream(log: log)
    // Somebody may wait in each socket that a former master had for a slot.
    supervisor = Supervisor(
      settings: configuration.settings,
      slots: listeners.filter { $0.reuseport != nil && !$0.isDatagram }.map(\.numbers.count).max() ?? 1)
    relay = OutputRelay(loop: loop, log)
    spawner = Spawner(service: configuration.name, relay: relay, openFiles: openFiles)
    // In this sequence: what is dropped may have the name of what was opened in its place.
    dropUntaken()
    keep(listeners)
  }

  /// Goes on with what a former binary of this process has saved.
  private init(
    _ handover: Handover, _ inheritance: Inheritance, restoring saved: SavedState, log: Log
  ) throws {
    configuration = handover.configuration
    self.log = log
    reader = handover.reader
    program = handover.program
    openFiles = inheritance.openFiles
    started = saved.started
    startDirectory = try WorkingDirectory.logical()
    resolver = try ReleaseResolver()
    let loop = try EventLoop()
    self.loop = loop
    acceptance = Acceptance(log: log)
    prober = Prober(loop: loop)
    control = saved.control.flatMap { control in
      handover.configuration.control.map { ControlServer(restoring: control, $0, loop: loop, log) }
    }
    metricsServer = try saved.metrics.map { MetricsServer(adopting: try Listener(restoring: $0), loop: loop, log) }
    counters = try ServiceCounters(json: saved.counters)
    reloadWatch.lastEvidence = saved.lastEvidence
    fdStore = FdStore(log: log)
    adoption = Adoption(saved.inherited.map { ($0.socket.descriptor, $0.name) })
    listeners = try saved.listeners.map { try Listener(restoring: $0) }
    upstream = Upstream(log: log)
    upstream.lastFailure = saved.lastFailure
    supervisor = saved.supervisor
    relay = OutputRelay(loop: loop, log)
    spawner = Spawner(service: configuration.name, relay: relay, openFiles: openFiles)
    releases = [:]
    for release in saved.releases {
      releases[release.generation] = try Release(restoring: release, listeners)
    }
    for restarts in saved.restarts { self.restarts[restarts.slot] = restarts.count }
    lastReload = saved.lastReload
    try restoreProcesses(saved)
    try restoreWaits(saved)
    heldDrains = saved.heldDrains.compactMap { held in
      process(held.worker).map { HeldDrain(process: $0, from: held.from, until: held.until) }
    }
  }

  /// What is awaited of workers that aren't ready.
  private func restoreWaits(_ saved: SavedState) throws {
    for subject in saved.probes {
      guard let release = releases[subject.id.generation] else { preconditionFailure("the state was checked") }
      prober.add(subject.id, release, try Listener(restoring: subject.listener))
    }
    if let einhorn = saved.einhorn {
      self.einhorn = try EinhornSocket(restoring: einhorn, loop: loop) { [unowned self] in
        acknowledged(pid: $0, uid: $1)
      }
    }
    spoken = Set(saved.spoken)
  }

  private func restoreProcesses(_ saved: SavedState) throws {
    for worker in saved.workers {
      guard let release = releases[worker.id.generation] else { preconditionFailure("the state was checked") }
      let process = WorkerProcess(
        restoring: worker, release: release, output: try relay.restore(worker.output))
      processes.append(process)
      watch(process)
    }
    for hook in saved.hooks {
      hooks.append(
        HookProcess(
          hook: hook.hook, generation: hook.generation, pid: hook.pid, output: try relay.restore(hook.output)))
    }
    for output in saved.outputs { try relay.restore(output) }
    if let preparation = saved.preparation { try watch(Preparation(restoring: preparation)) }
  }

  /// The whole life of the process. `ManagedSignals.block` was called before.
  public static func main() -> Never {
    let openFiles = OpenFiles()
    UpgradeProof.giveIfAsked()
    do {
      guard let handover = try Handover.received() else {
        throw MasterError("roost-master isn't to be started by hand: use 'roost run'")
      }
      // The log comes after it, since that opens something.
      let inheritance = Inheritance(openFiles: openFiles, isUpgrade: handover.running != nil)
      let log = Log()
      log.setField("ROOST_SERVICE", handover.configuration.name)
      exit(run(handover, inheritance, log))
    } catch {
      Log().error("\(error)")
      exit(ExitStatus.masterFailed)
    }
  }

  private static func run(_ handover: Handover, _ inheritance: Inheritance, _ log: Log) -> Int32 {
    let pidFile = handover.configuration.pidFile.map(PidFile.init)
    do {
      if let saved = handover.running { return restore(handover, inheritance, saved, log) }
      let master = try Master(handover, inheritance, log: log)
      if handover.configuration.control == nil {
        log.warning(
          "there is no control socket, as neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR says where: only signals operate "
            + "this service; --control-directory names one")
      }
      try pidFile?.write()
      defer { pidFile?.remove() }
      return master.serve { master.handle(.startRequested) }
    } catch {
      log.error("\(error)")
      return ExitStatus.unusableConfiguration
    }
  }

  private static func restore(
    _ handover: Handover, _ inheritance: Inheritance, _ saved: SavedState, _ log: Log
  ) -> Int32 {
    do {
      let master = try Master(handover, inheritance, restoring: saved, log: log)
      defer { handover.configuration.pidFile.map(PidFile.init)?.remove() }
      return master.serve { master.resume(from: saved.version) }
    } catch {
      // The proof has shown that this can't be, and there is nothing to go back to.
      log.error("cannot go on after an upgrade: \(error)")
      return ExitStatus.masterFailed
    }
  }

  /// What the former binary had armed, and what happened while it was executing this one.
  private func resume(from version: String) {
    finishUpgrade(from: version)
    reap()
    releaseDrains()
    for process in processes where supervisor.isAwaitingReadiness(of: process.id) && !spoken.contains(process.id) {
      acceptance.await(process, process.release.listeners)
    }
    for process in processes where supervisor.isProbing(process.id) { prober.begin(process.id) }
    steer()
    reloadWatch.setRunning(servicePhase == .reloading && !listeners.isEmpty)
    timer?.set(stallWatch.next(before: supervisor.nextDeadline, at: Clock.now())?.microseconds)
    upstream.tellStatus(supervisor)
  }

  private func serve(beginning begin: () -> Void) -> Int32 {
    do {
      // Whatever a worker leaves behind becomes a child of the master, and is stopped with it.
      guard roost_become_subreaper() == 0 else { throw MasterError(cannot: "become a subreaper") }
      try watch()
      begin()
      _ = try loop.run()
    } catch {
      log.error("\(error)")
      return ExitStatus.masterFailed
    }
    closeListeners()
    Orphans(stopSignal: configuration.worker.stopSignal.number, log: log).stop()
    relay.finish()
    log.info("stopped")
    return verdict == .startFailed ? ExitStatus.startFailed : ExitStatus.stopped
  }

  private func watch() throws(SystemdError) {
    try loop.keepWatchdogAlive()
    // After what workers say, before the deadlines: a last word precedes the exit, and both precede a timeout.
    try watch(SIGCHLD, .early) { $0.reap() }
    try watch(SIGHUP, .normal) { $0.handle(.reloadRequested(by: .signal(SIGHUP))) }
    try watch(SIGTERM, .normal) { $0.handle(.stopRequested(by: .signal(SIGTERM))) }
    try watch(SIGINT, .normal) { $0.handle(.stopRequested(by: .signal(SIGINT))) }
    try watch(SIGQUIT, .normal) { $0.handle(.stopAtOnceRequested(by: .signal(SIGQUIT))) }
    try watch(SIGTTIN, .normal) { $0.handle(.scaleRequested(by: 1)) }
    try watch(SIGTTOU, .normal) { $0.handle(.scaleRequested(by: -1)) }
    // They would kill the master: USR1 asks for log files to be reopened, and there are none.
    try watch(SIGUSR1, .normal) { _ in }
    try watch(SIGUSR2, .normal) { $0.upgradeRequested(by: "SIGUSR2") }
    timer = try loop.timer(priority: .late) { [unowned self] in
      timer?.wentOff()
      handle(.timePassed)
    }
    heldDrainTimer = try loop.timer(priority: .late) { [unowned self] in
      heldDrainTimer?.wentOff()
      if let missed = stallWatch.look(at: Clock.now()) { handle(.stalled(missed)) }
      releaseDrains()
    }
    queueTimer = try loop.timer(priority: .late) { [unowned self] in lookAtQueues() }
    try acceptance.watch(in: loop) { [unowned self] in handle(.workerReady($0)) }
    try prober.watch(
      start: { [unowned self] id, release, command, address throws(MasterError) in
        try runProbe(id, release, command, address)
      }, passed: { [unowned self] in handle(.probeSucceeded($0)) })
    try control?.serve { [unowned self] in answer($0, $1) }
    try metricsServer?.serve { [unowned self] in metricsText($0) }
    try reloadWatch.watch(in: loop) { [unowned self] in for listener in listeners { listener.sampleQueue() } }
  }

  private func watch(
    _ signal: Int32, _ priority: EventLoop.Priority, _ handler: @escaping (Master) -> Void
  ) throws(SystemdError) {
    sources.append(try loop.onSignal(signal, priority: priority) { [unowned self] in handler(self) })
  }

  /// A stall comes before anything else that is heard after it: that may be about who would be given up for it.
  private func nextEvent() -> Event? {
    if let missed = stallWatch.look(at: Clock.now()) { return .stalled(missed) }
    return events.isEmpty ? nil : events.removeFirst()
  }

  /// Tells the supervisor what has happened, and does what it orders. An order may make more happen, which comes next.
  func handle(_ event: Event) {
    events.append(event)
    guard !isHandling else { return }
    isHandling = true
    log.afterwards {
      while let event = nextEvent() {
        if case .stalled(let missed) = event { putOffHeldDrains(by: missed) }
        let effects = supervisor.handle(event, at: Clock.now())
        let retired = retireListeners()
        for effect in effects { perform(effect) }
        steer()
        // Nothing waits for words to be found: a takeover's signals are out by now.
        for effect in effects { report(effect) }
        for listener in retired { log.info("\(listener.title) is closed to new connections") }
        answerDrained()
        forgetGone()
        closeUnusedListeners()
        closeUnusedSockets()
        if isStopping { releaseDrains() }
      }
    }
    if verdict != nil { control?.answerStops() }
    isHandling = false
    timer?.set(stallWatch.next(before: supervisor.nextDeadline, at: Clock.now())?.microseconds)
    reloadWatch.setRunning(servicePhase == .reloading && !listeners.isEmpty)
    upstream.tellStatus(supervisor)
  }
}
