import Glibc
import RoostConfiguration
import RoostCore
import RoostJSON
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
  let channel: UpstreamChannel
  let upstream: Upstream
  let watchdog: UpstreamWatchdog?
  let spawner: Spawner
  let relay: OutputRelay
  let resolver: ReleaseResolver
  let mounts = MountTable()
  let control: ControlServer?
  let metricsServer: MetricsServer?
  /// Where other tools find the pid, if they are to.
  var pidFile: PidFile?
  /// What has served, also under former masters.
  var history = History()
  /// What writes it. A former version had none, and gets it with the first reload.
  var historyWriter: HistoryWriter?
  /// What served when the last reload began.
  var generationBeforeReload = Generation(number: 1)
  /// The generation that couldn't get ready, and why, while what served last is being started.
  var fallen: (generation: Generation, reason: String)?
  /// Whether what systemd has passed and nobody takes is kept: not all listeners are open yet.
  var keepsUntaken = false
  /// Whether it has changed since it was written.
  var isRecordDue = false
  /// How many generations it keeps.
  var historyLength: Int
  /// What the first generation was to listen on, until it does.
  private(set) var firstListeners: [ListenerConfiguration] = []
  /// Why that isn't open yet.
  private(set) var listenersTrouble: MasterError?
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
  /// Those of the workers, where the unit's is delegated.
  let cgroups: Cgroups?
  /// What has lost its parent.
  let strays = Strays()
  /// What has a listener without belonging to the service.
  let outsiders = OutsiderWatch()
  /// What retirees still do.
  let retireeWatch: RetireeWatch
  /// The operator's commands that run.
  var hooks: [HookProcess] = []
  var preparation: Preparation?
  var upgrade: Upgrade?
  /// What the workers of each generation run that has any, or may get one.
  var releases: [Generation: Release]
  /// How many workers of each slot were lost.
  var restarts: [Int: Int] = [:]
  /// What the workers wrote last that are gone.
  var goneOutputs: [LastOutput] = []
  /// What came of the last reload.
  var lastReload: ReloadVerdict?
  /// Why a slot lost its last worker.
  var losses: [Int: SlotLoss] = [:]
  /// Why the service couldn't be started, or why that takes so long.
  var startTrouble: String?
  /// What the process that is being reported on wrote last, where it isn't a worker.
  var lastWords: [String] = []
  var events: [Event] = []
  var isHandling = false
  /// Whether there may be exits or stops that are read at the end of the round.
  var isReapDue = false
  /// Whether the files by which others find the master are to be looked at, for a reload.
  var areFilesDue = false
  var verdict: Verdict?
  /// Whether what is left when the last worker is reaped isn't waited for.
  var endsAtOnce = false
  var sources: [BoundedSource] = []
  var timer: Timer?
  var stallWatch = StallWatch()
  let terminal = ControllingTerminal()
  /// Looks at the queues of slots that go, while any do.
  var queueWatch: QueueWatch?
  var queueTimer: Timer?
  var outsiderTimer: Timer?

  /// Checks and opens everything that the configuration asks for. Nothing is started yet.
  init(_ handover: Handover, _ inheritance: Inheritance, log: Log) throws(MasterError) {
    let configuration = handover.configuration
    self.configuration = configuration
    self.log = log
    acceptance = Acceptance(log: log)
    retireeWatch = RetireeWatch(log: log)
    reader = handover.reader
    program = handover.program
    openFiles = inheritance.openFiles
    started = time(nil)
    try Acceptance.check(configuration.worker)
    startDirectory = try WorkingDirectory.logical()
    guard chdir("/") == 0 else { throw MasterError(cannot: "enter the root directory") }
    let resolver = ReleaseResolver(startDirectory: startDirectory)
    self.resolver = resolver
    let past = Self.pastHistory(configuration, log)
    history = past
    historyLength = configuration.history?.length ?? 1
    let first = try FirstRelease(configuration, trouble: handover.trouble, past, resolver)
    // Why is known here only; that it is so the supervisor tells.
    if first.past.divergence == .fellBack, let reason = first.reason { log.error("\(reason)") }
    let release = first.release
    releases = [first.past.first: release]
    do {
      let loop = try EventLoop()
      self.loop = loop
      channel = UpstreamChannel(loop: loop, log)
      watchdog = try UpstreamWatchdog(channel)
      fdStore = FdStore(channel, log)
      prober = Prober(loop: loop)
      // Before the listeners: a second master of the same name must not take them from the first.
      control = try configuration.control.map { try ControlServer($0, service: configuration.name, loop: loop, log) }
      adoption = Adoption(try inheritance.descriptors())
      historyWriter = configuration.history.map {
        HistoryWriter(in: $0.directory, of: configuration.name, loop: loop, log)
      }
      (listeners, listenersTrouble) = try Self.firstListeners(first, &adoption)
      firstListeners = first.configuration.listeners
      // After them: where both want the same address, the service comes first.
      metricsServer = configuration.metrics.map { MetricsServer($0, loop: loop, log) }
    } catch let error as MasterError {
      throw error
    } catch {
      throw MasterError("\(error)")
    }
    if release.configuration.readinessChannel == .automatic, !listeners.isEmpty,
      let obstacle = Acceptance.obstacle(release.configuration)
    {
      log.info("workers can't be seen to accept, so only READY=1 counts: \(obstacle)")
    }
    upstream = Upstream(channel)
    var known = first.past
    // Somebody may wait in each socket that a former master had for a slot.
    known.slots = listeners.filter { $0.reuseport != nil && !$0.isDatagram }.map(\.numbers.count).max() ?? 1
    supervisor = Supervisor(settings: first.configuration.settings, past: known)
    startTrouble = first.reason
    relay = OutputRelay(loop: loop, log)
    cgroups = Self.delegatedCgroups(log)
    spawner = Spawner(service: configuration.name, relay: relay, openFiles: openFiles, cgroups: cgroups, mounts: mounts)
    // In this sequence: what is dropped may have the name of what was opened in its place.
    keepsUntaken = listenersTrouble != nil
    if !keepsUntaken { dropUntaken() }
    keep(listeners)
    prepared(first.past.first, of: first.past.origin, first.configuration)
  }

  /// Goes on with what a former binary of this process has saved.
  init(
    _ handover: Handover, _ inheritance: Inheritance, restoring saved: SavedState, log: Log
  ) throws {
    configuration = handover.configuration
    self.log = log
    reader = handover.reader
    program = handover.program
    openFiles = inheritance.openFiles
    started = saved.started
    startDirectory = handover.directory ?? WorkingDirectory.formerMaster()
    resolver = ReleaseResolver(startDirectory: startDirectory)
    let loop = try EventLoop()
    self.loop = loop
    acceptance = Acceptance(log: log)
    retireeWatch = RetireeWatch(log: log)
    prober = Prober(loop: loop)
    control = saved.control.flatMap { control in
      handover.configuration.control.map {
        ControlServer(restoring: control, $0, service: handover.configuration.name, loop: loop, log)
      }
    }
    metricsServer = try handover.configuration.metrics.map {
      try MetricsServer($0, restoring: saved.metrics, saved.metricsWait, loop: loop, log)
    }
    counters = try ServiceCounters(json: saved.counters)
    reloadWatch.lastEvidence = saved.lastEvidence
    channel = UpstreamChannel(loop: loop, log)
    watchdog = try UpstreamWatchdog(channel)
    fdStore = FdStore(channel, log)
    adoption = Adoption(saved.inherited.map { ($0.socket.descriptor, $0.name) })
    listeners = try saved.listeners.map { try Listener(restoring: $0) }
    upstream = Upstream(channel)
    upstream.lastFailure = saved.lastFailure
    supervisor = saved.supervisor
    relay = OutputRelay(loop: loop, log)
    cgroups = Self.delegatedCgroups(log)
    spawner = Spawner(service: configuration.name, relay: relay, openFiles: openFiles, cgroups: cgroups, mounts: mounts)
    releases = [:]
    for release in saved.releases {
      releases[release.generation] = try Release(restoring: release, listeners)
    }
    for restarts in saved.restarts { self.restarts[restarts.slot] = restarts.count }
    lastReload = saved.lastReload
    historyLength = configuration.history?.length ?? 1
    historyWriter = configuration.history.map {
      HistoryWriter(in: $0.directory, of: configuration.name, loop: loop, log)
    }
    history = saved.history ?? Self.pastHistory(configuration, log)
    firstListeners = try (saved.firstListeners ?? []).map { try ListenerConfiguration(json: $0) }
    startTrouble = saved.startTrouble
    generationBeforeReload = saved.generationBeforeReload ?? supervisor.serving
    for loss in saved.losses ?? [] { losses[loss.slot] = loss.loss }
    goneOutputs = saved.goneOutputs ?? []
    try restoreProcesses(saved)
    try restoreWaits(saved)
    channel.restore(saved.upstream ?? [])
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
      self.einhorn = try EinhornSocket(restoring: einhorn, loop: loop, log) { [unowned self] in
        acknowledged(pid: $0, uid: $1)
      }
    }
    spoken = Set(saved.spoken)
  }

  private func restoreProcesses(_ saved: SavedState) throws {
    for worker in saved.workers {
      guard let release = releases[worker.id.generation] else { preconditionFailure("the state was checked") }
      let process = WorkerProcess(
        restoring: worker, release: release, output: try relay.restore(worker.output),
        cgroup: worker.cgroup.flatMap { cgroups?.restore($0) })
      if worker.sockets == nil { process.sockets = Self.sockets(release.listeners, worker.id.slot) }
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

  /// A stall comes before anything else that is heard after it: that may be about who would be given up for it.
  private func nextEvent() -> Event? {
    if let missed = stallWatch.look(at: Clock.now()) { return .stalled(missed) }
    return events.isEmpty ? nil : events.removeFirst()
  }

  /// Wakes the master when something is due, and before, where a stall would cost somebody time.
  func setTimer() {
    let watch = stallWatch.next(before: supervisor.nextPressingDeadline, at: Clock.now())
    timer?.set([watch, supervisor.nextDeadline].compactMap(\.self).min()?.microseconds)
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
        if isStopping {
          releaseDrains()
          outsiders.abandon()
        }
      }
    }
    if verdict != nil { control?.answerStops() }
    isHandling = false
    setTimer()
    reloadWatch.setRunning(isReloading && !listeners.isEmpty)
    upstream.tellStatus(supervisor, trouble: trouble)
  }
}
