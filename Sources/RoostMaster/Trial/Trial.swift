import CRoostMaster
import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostProcess
import RoostSystemd

/// Why a trial can't continue.
package enum TrialError: Error {
  /// This signal asked it to end.
  case interrupted(signal: Int32)
  /// Its event loop has failed: it no longer hears anything.
  case deaf(SystemdError)
}

/// Workers on their own: they get what they would get from a master, but nothing restarts them, restores their backlog
/// or decides for them. It belongs to a short-lived process, on whose main thread it stays.
package final class Trial {
  /// How long a look at what has happened waits for more.
  private static let slice: UInt64 = 5000

  let configuration: Configuration
  let loop: EventLoop
  private let resolver: ReleaseResolver
  private let spawner: Spawner
  private let acceptance: AcceptanceWatch
  private let passed: [PassedListener]
  private let places = TrialPlaces()
  private var sources: [Source] = []
  private var interruption: TrialError?
  /// Those that belong to no worker: what the process had before.
  private let others: Set<pid_t>
  private var workers: [TrialWorker] = []

  /// What the workers run by a path that can't be pinned.
  package let unpinned: [UnpinnedPath]
  /// The listeners that its workers get.
  package let listeners: [TrialListener]

  /// Checks what the configuration asks for, and opens its listeners, elsewhere if their addresses are taken.
  /// `ManagedSignals.block` was called before. What workers write is shown on stderr, or nowhere.
  package init(_ configuration: Configuration, showsOutput: Bool) throws(MasterError) {
    var configuration = configuration
    // Both streams come here: neither may mix with the report about the worker.
    configuration.worker.output = .prefixed
    self.configuration = configuration
    others = Set(ProcessTree.pids(below: getpid()))
    resolver = try ReleaseResolver()
    unpinned = try resolver.unpinned(in: configuration.worker)
    try AcceptanceWatch.check(configuration.worker)
    let log = Log()
    acceptance = AcceptanceWatch(log: log, looksItself: true)
    var adoption = Adoption([])
    var moved: [ListenerConfiguration] = []
    for wanted in configuration.listeners { moved.append(try places.unoccupied(wanted)) }
    passed = try ServiceListeners.passed(for: moved, beside: [], &adoption)
    listeners = zip(passed, configuration.listeners).map { TrialListener($0.listener, wanted: $1) }
    let sink = showsOutput ? STDERR_FILENO : open("/dev/null", O_WRONLY | O_CLOEXEC)
    guard sink >= 0, roost_become_subreaper() == 0 else { throw MasterError(cannot: "set up a trial") }
    do {
      let loop = try EventLoop()
      self.loop = loop
      spawner = Spawner(
        service: configuration.name, relay: OutputRelay(loop: loop, log, standardOutput: sink, standardError: sink),
        openFiles: OpenFiles())
      try watch()
    } catch {
      throw MasterError("\(error)")
    }
  }

  private func watch() throws(SystemdError) {
    sources.append(try loop.onSignal(SIGCHLD, priority: .early) { [unowned self] _ in reap() })
    for signal in [SIGHUP, SIGINT, SIGTERM, SIGQUIT] {
      sources.append(
        try loop.onSignal(signal, priority: .normal) { [unowned self] _ in
          interruption = .interrupted(signal: signal)
        })
    }
    try acceptance.watch(in: loop) { [unowned self] id in
      workers.first { $0.process.id == id }?.isReady(by: .sighting)
    }
  }

  /// Starts a worker, in slot 0.
  package func start() throws(MasterError) -> TrialWorker { try start(passed) }

  /// Starts a worker whose listeners for IPv6 and IPv4 are ones for IPv4, at ports that the kernel chooses, with these
  /// listeners of its own.
  package func startOverIPv4() throws(MasterError) -> (worker: TrialWorker, listeners: [TrialListener]) {
    var adoption = Adoption([])
    var replaced: [PassedListener] = []
    for one in passed {
      guard listeners.contains(where: { $0.listener === one.listener && $0.addressOverIPv4 != nil }) else {
        replaced.append(one)
        continue
      }
      var wanted = one.configuration
      wanted.address = .tcp(.ipv4("127.0.0.1"), port: 0)
      wanted.isIPv6Only = nil
      replaced += try ServiceListeners.passed(for: [wanted], beside: [], &adoption)
    }
    return (try start(replaced), replaced.map { TrialListener($0.listener, wanted: $0.configuration) })
  }

  private func start(_ passed: [PassedListener]) throws(MasterError) -> TrialWorker {
    let number = workers.count + 1
    let id = WorkerID(number: number, slot: 0, generation: Generation(number: number))
    let release = try resolver.resolve(configuration.worker)
    release.listeners = passed
    let probe = try Prober.listener(release, like: passed.map(\.configuration))
    let all = passed + [probe].compactMap(\.self).map(PassedListener.init)
    let worker = TrialWorker(
      try spawner.spawn(id, release: release, listeners: all, einhornPath: nil), listeners: all.map(\.listener),
      settings: configuration.settings)
    workers.append(worker)
    do { try worker.watch(in: loop) { [unowned self] in acceptance.spoke(id) } } catch { throw MasterError("\(error)") }
    acceptance.await(worker.process, passed)
    return worker
  }

  /// Runs until the condition holds, or at most this long. Returns whether it holds.
  package func wait(
    _ limit: Duration, until condition: () -> Bool
  ) throws(TrialError) -> Bool {
    let deadline = Clock.now() + limit
    while !condition() {
      if Clock.now() >= deadline { return false }
      try turn()
    }
    return true
  }

  /// Waits until a worker is ready or has exited, or its ready timeout is over. Returns whether it is ready.
  package func waitForReadiness(of worker: TrialWorker) throws(TrialError) -> Bool {
    while Clock.now() < worker.readyDeadline, worker.exit == nil, !worker.isReadyByNow { try turn() }
    if worker.readiness == nil { worker.lacks = acceptance.lacks(worker.process.id) }
    acceptance.forget { $0 == worker.process.id }
    return worker.readiness != nil && worker.exit == nil
  }

  /// Waits until a worker that was told to stop has exited, or its drain timeout is over. Returns whether it has
  /// exited.
  package func waitForExit(of worker: TrialWorker) throws(TrialError) -> Bool {
    while Clock.now() < worker.drainDeadline, worker.exit == nil { try turn() }
    return worker.exit != nil
  }

  private func turn() throws(TrialError) {
    do { try loop.runOnce(microseconds: Self.slice) } catch { throw .deaf(error) }
    if let interruption { throw interruption }
  }

  private func reap() {
    var news = roost_news()
    while roost_reap(&news) == 1 {
      workers.first { $0.pid == news.pid && $0.exit == nil }?.exited(ExitCause(news))
    }
  }

  /// The processes that exited workers have left behind.
  package func leftovers() -> [pid_t] {
    reap()
    let running = workers.filter { $0.exit == nil }.flatMap { ProcessTree.pids(below: $0.pid) }
    return ProcessTree.pids(below: getpid()).filter {
      !others.contains($0) && !running.contains($0) && !roost_is_helper($0)
    }
  }

  /// Kills the processes that workers have left behind.
  package func killLeftovers() {
    for pid in leftovers() { kill(pid, SIGKILL) }
    waitWhileKilling { !leftovers().isEmpty }
  }

  /// Kills all that is left, however the trial went.
  package func end() {
    for worker in workers where worker.exit == nil { worker.kill() }
    waitWhileKilling { workers.contains { $0.exit == nil } }
    killLeftovers()
  }

  /// SIGKILL takes effect soon; but a process may be inside the kernel for a while.
  private func waitWhileKilling(_ isGoingOn: () -> Bool) {
    let deadline = Clock.now() + .seconds(5)
    while isGoingOn(), Clock.now() < deadline { _ = try? loop.runOnce(microseconds: Self.slice) }
  }
}
