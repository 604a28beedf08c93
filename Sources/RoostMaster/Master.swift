import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostMetrics
import RoostSystemd

/// The long-lived process: turns what happens into events, and carries out what the supervisor orders. It holds no
/// policy, and each of its parts owns its subject. Single-threaded: everything is called by the loop.
package final class Master {
  let configuration: Configuration
  /// What reads the configuration again on reload, if there is one to read.
  let reader: String?
  /// The path of the binary that an upgrade executes.
  let program: String
  let startDirectory: String
  /// When the service was started, in seconds since 1970.
  let started: Int
  let openFiles: OpenFiles
  let log: Log
  let loop: EventLoop
  let terminal = ControllingTerminal()
  let mounts: MountTable

  // MARK: What it decides by

  var supervisor: Supervisor
  /// What the workers of each generation run.
  var releases: Releases
  let deadlines: Deadlines
  private var events: [Event] = []
  var isHandling = false
  /// How the service has ended.
  var verdict: Verdict?
  /// Whether what is left when the last worker is reaped is not waited for.
  var endsAtOnce = false

  // MARK: Its parts

  let channel: UpstreamChannel
  let upstream: Upstream
  let watchdog: UpstreamWatchdog?
  let listeners: ServiceListeners
  let leftQueues: LeftQueues
  let steering: Steering
  let queueSampler = QueueSampler()
  let relay: OutputRelay
  let workers: Workers
  let outsiders: OutsiderWatch
  let preparer: Preparer
  let hooks: Hooks
  let record: ServiceRecord
  let clients: Clients
  let metricsServer: MetricsServer?
  let files: OwnFiles
  /// What has happened since the service was started.
  var counters = ServiceCounters()
  var troubles = Troubles()
  var upgradeAttempt: UpgradeAttempt?
  var sources: [BoundedSource] = []
  /// Whether there may be exits or stops to read at the end of the round.
  var isReapDue = false

  /// What is named is made differently at a start than after an upgrade.
  init(
    _ handover: Handover, _ openFiles: OpenFiles, _ log: Log, loop: EventLoop, started: Int, directory: String,
    channel: UpstreamChannel, watchdog: UpstreamWatchdog?, deadlines: Deadlines, supervisor: Supervisor,
    releases: Releases, listeners: ServiceListeners, record: ServiceRecord, clients: Clients, metrics: MetricsServer?
  ) {
    configuration = handover.configuration
    reader = handover.reader
    program = handover.program
    self.openFiles = openFiles
    self.log = log
    self.loop = loop
    self.started = started
    startDirectory = directory
    self.channel = channel
    self.watchdog = watchdog
    self.deadlines = deadlines
    self.supervisor = supervisor
    self.releases = releases
    self.listeners = listeners
    self.record = record
    self.clients = clients
    metricsServer = metrics
    mounts = MountTable()
    upstream = Upstream(channel)
    leftQueues = LeftQueues(log: log)
    steering = Steering(listeners, log)
    relay = OutputRelay(loop: loop, log)
    let cgroups = Cgroups.ofUnit(log)
    let spawner = Spawner(
      service: configuration.name, relay: relay, openFiles: openFiles, cgroups: cgroups, mounts: mounts)
    workers = Workers(spawner, listeners, cgroups, directory: configuration.control?.directory, loop, log)
    outsiders = OutsiderWatch(listeners, workers, log)
    let resolver = ReleaseResolver(startDirectory: startDirectory)
    preparer = Preparer(resolver, configuration, mounts, reader: reader, directory: startDirectory, loop)
    hooks = Hooks(spawner, resolver)
    files = OwnFiles(clients.server, metricsServer, workers, log)
  }

  // MARK: Events

  /// The time on the supervisor's clock.
  var now: Instant { deadlines.now }

  /// Whether everything that has happened was handled.
  var isIdle: Bool { events.isEmpty && !isHandling }

  /// Whether the supervisor has yet to be told that a worker has exited: a stall may come first.
  func awaitsExit(_ id: WorkerID) -> Bool {
    events.contains { if case .workerExited(id, _, _) = $0 { true } else { false } }
  }

  /// A stall is reported before any other news: that may be about a worker that would be given up because of the stall.
  private func nextEvent() -> Event? {
    if let missed = deadlines.look() { return .stalled(missed) }
    return events.isEmpty ? nil : events.removeFirst()
  }

  /// Tells the supervisor what has happened, and does what it orders. An order may make more happen, which comes next.
  func handle(_ event: Event) {
    events.append(event)
    guard !isHandling else { return }
    isHandling = true
    log.afterwards {
      while let event = nextEvent() { carryOut(supervisor.handle(event, at: now)) }
    }
    if verdict != nil { clients.answerStops() }
    isHandling = false
    deadlines.set(for: supervisor)
    tellState()
  }

  private func carryOut(_ decision: Decision) {
    let retired = retireListeners()
    for effect in decision.effects { perform(effect) }
    for notice in decision.notices { remember(notice) }
    steering.follow(supervisor.slots, releases)
    // Nothing waits for the words: a takeover's signals are out by now, unless queues are looked at first.
    for notice in decision.notices { report(notice) }
    for listener in retired { log.info("\(listener.title) is closed to new connections") }
    clients.answerDrained(supervisor.retirees) { workers.drainedVerdict($0, of: $1) }
    forgetGone()
    if supervisor.isStopping { outsiders.abandon() }
  }

  /// Tells the supervisor above, and looks at queues as long as a reload runs.
  func tellState() {
    queueSampler.setRunning(supervisor.reload != nil && !listeners.all.isEmpty)
    upstream.tellStatus(supervisor, trouble: trouble)
  }
}
