import CRoostLinux
import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
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
  /// When the service was started, in seconds since 1970.
  let started: Int
  var supervisor: Supervisor
  /// In the order of the workers' descriptors.
  var listeners: [Listener]
  /// The workers that run, and those that have left processes behind.
  var processes: [WorkerProcess] = []
  /// The operator's commands that run.
  var hooks: [HookProcess] = []
  var preparation: Preparation?
  var upgrade: Upgrade?
  /// What the workers of each generation that may still be started from run.
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

  /// Checks and opens everything that the configuration asks for. Nothing is started yet.
  private init(_ handover: Handover, _ inheritance: Inheritance, log: Log) throws(MasterError) {
    let configuration = handover.configuration
    self.configuration = configuration
    self.log = log
    reader = handover.reader
    program = handover.program
    openFiles = inheritance.openFiles
    started = time(nil)
    startDirectory = try WorkingDirectory.logical()
    let resolver = try ReleaseResolver()
    self.resolver = resolver
    releases = [Generation(number: 1): try resolver.resolve(configuration.worker)]
    do {
      let loop = try EventLoop()
      self.loop = loop
      // Before the listeners: a second master of the same name must not take them from the first.
      control = try configuration.control.map { try ControlServer($0, service: configuration.name, loop: loop, log) }
      let inherited = try inheritance.descriptors()
      listeners = try Self.open(configuration, inherited, log)
    } catch let error as MasterError {
      throw error
    } catch {
      throw MasterError("\(error)")
    }
    upstream = Upstream(log: log)
    supervisor = Supervisor(settings: configuration.settings)
    relay = OutputRelay(loop: loop, log)
    spawner = Spawner(service: configuration.name, relay: relay, openFiles: openFiles)
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
    control = saved.control.flatMap { control in
      handover.configuration.control.map { ControlServer(restoring: control, $0, loop: loop, log) }
    }
    listeners = try saved.listeners.map { try Listener(restoring: $0) }
    upstream = Upstream(log: log)
    upstream.lastFailure = saved.lastFailure
    supervisor = saved.supervisor
    relay = OutputRelay(loop: loop, log)
    spawner = Spawner(service: configuration.name, relay: relay, openFiles: openFiles)
    releases = [:]
    for release in saved.releases { releases[release.generation] = try Release(restoring: release) }
    for restarts in saved.restarts { self.restarts[restarts.slot] = restarts.count }
    lastReload = saved.lastReload
    try restoreProcesses(saved)
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

  private static func open(
    _ configuration: Configuration, _ inherited: [(descriptor: Int32, name: String)], _ log: Log
  ) throws(MasterError) -> [Listener] {
    var listeners: [Listener] = []
    for wanted in configuration.listeners {
      let opened = try Listener.open(wanted, inherited: inherited)
      for listener in opened { log.info("listening on \(listener.name)=\(listener.address)") }
      listeners += opened
    }
    for socket in inherited where !listeners.contains(where: { $0.descriptor.number == socket.descriptor }) {
      log.warning("systemd passed a socket named \(socket.name) that no --listen systemd:\(socket.name) takes")
    }
    return listeners
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
    timer?.set(supervisor.nextDeadline?.microseconds)
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
    listeners = []
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
    try control?.serve { [unowned self] in answer($0, $1) }
  }

  private func watch(
    _ signal: Int32, _ priority: EventLoop.Priority, _ handler: @escaping (Master) -> Void
  ) throws(SystemdError) {
    sources.append(try loop.onSignal(signal, priority: priority) { [unowned self] in handler(self) })
  }

  /// Tells the supervisor what has happened, and does what it orders. An order may make more happen, which comes next.
  func handle(_ event: Event) {
    events.append(event)
    guard !isHandling else { return }
    isHandling = true
    log.afterwards {
      while !events.isEmpty {
        let event = events.removeFirst()
        let effects = supervisor.handle(event, at: Clock.now())
        for effect in effects { perform(effect) }
        // Nothing waits for words to be found: a takeover's signals are out by now.
        for effect in effects { report(effect) }
        answerDrained()
        forgetGone()
      }
    }
    if verdict != nil { control?.answerStops() }
    isHandling = false
    timer?.set(supervisor.nextDeadline?.microseconds)
    upstream.tellStatus(supervisor)
  }
}
