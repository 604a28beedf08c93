import Glibc
import RoostConfiguration
import RoostControl
import RoostCore
import RoostLog
import RoostProcess
import RoostSystemd

/// The workers as processes, from their start until nothing is left of them.
final class Workers {
  /// Those that run, and those that have left processes behind.
  var processes: [WorkerProcess] = []
  let acceptance: AcceptanceWatch
  let prober: Prober
  /// What starts them, and other processes.
  let spawner: Spawner
  var goneOutputs: [LastOutput] = []
  let listeners: ServiceListeners
  /// Processes that have lost their parent.
  let strays = Strays()
  /// The workers' cgroups, if the unit's is delegated.
  let cgroups: Cgroups?
  /// What retirees still do.
  let retirees: RetireeWatch
  let loop: EventLoop
  let log: Log
  /// The directory in which einhorn's clients find a socket.
  private let directory: String?
  /// Where einhorn's clients acknowledge, once workers ask for it.
  private(set) var einhorn: EinhornSocket?
  /// Those that have said something to a former binary, and so have to say that they are ready.
  private var spoken: Set<WorkerID> = []
  var heard: (Event) -> Void = { _ in }
  var tell: (ServiceEvent) -> Void = { _ in }

  init(
    _ spawner: Spawner, _ listeners: ServiceListeners, _ cgroups: Cgroups?, directory: String?, _ loop: EventLoop,
    _ log: Log
  ) {
    self.spawner = spawner
    self.listeners = listeners
    self.cgroups = cgroups
    self.directory = directory
    self.loop = loop
    self.log = log
    acceptance = AcceptanceWatch(log: log)
    prober = Prober(loop: loop)
    retirees = RetireeWatch(log: log)
  }

  /// Calls the handlers with what is heard of workers, and with what there is to report.
  func watch(
    startProbe: @escaping Prober.CommandStart, seen: @escaping (WorkerProcess, RetireeSearch.Sight) -> Void,
    tell: @escaping (ServiceEvent) -> Void, _ heard: @escaping (Event) -> Void
  ) throws(SystemdError) {
    self.heard = heard
    self.tell = tell
    try retirees.watch(in: loop, seen)
    try acceptance.watch(in: loop) { heard(.workerReady($0)) }
    try prober.watch(start: startProbe, passed: { heard(.probeSucceeded($0)) })
  }

  /// A worker whose command couldn't be executed has no process.
  func process(_ id: WorkerID) -> WorkerProcess? {
    processes.first { $0.id == id }
  }

  /// The pids of those that run.
  var running: [pid_t] { processes.filter { $0.state == .running }.map(\.pid) }

  // MARK: Start

  /// Starts a worker. Returns when it runs its command.
  func start(_ id: WorkerID, _ release: Release) throws(MasterError) {
    let path = try einhornPath(for: release.configuration)
    let probe = try Prober.listener(release, like: release.listeners.map(\.configuration))
    let process = try spawner.spawn(
      id, release: release, listeners: release.listeners + [probe].compactMap(\.self).map(PassedListener.init),
      einhornPath: path)
    listeners.keepSockets(of: release)
    if let probe { prober.add(id, release, probe) }
    process.sockets = Self.sockets(release.listeners, id.slot)
    processes.append(process)
    listen(to: process)
    acceptance.await(process, release.listeners)
  }

  /// The inodes of the sockets that the worker of a slot is given.
  private static func sockets(_ listeners: [PassedListener], _ slot: Int) -> Set<UInt64> {
    Set(listeners.compactMap { SocketIdentity(of: $0.listener.number(slot: slot))?.inode })
  }

  // MARK: What they say

  private func listen(to process: WorkerProcess) {
    do {
      try process.listen(in: loop) { [unowned self, unowned process] in hear($0, from: process) }
    } catch {
      // If it isn't heard, it misses its ready timeout, for which there are rules.
      log.error("\(error)")
    }
  }

  private func hear(_ word: WorkerConversation.Word, from process: WorkerProcess) {
    switch word {
    case .any: acceptance.spoke(process.id)
    case .ready: heard(.workerReady(process.id))
    case .time(let duration): heard(.workerAskedForTime(process.id, duration))
    case .status(let text): process.tellStatus(text)
    case .reload: hearReload(from: process)
    case .trouble(let trouble): log.warning("\(process.title) \(trouble.words)")
    case .flood:
      log.warning(
        "\(process.title) has written \(ReadinessPipe.maximumLength) bytes to its readiness pipe without a line:"
          + " nothing more is read of it")
    }
  }

  private func hearReload(from process: WorkerProcess) {
    if process.release.configuration.allowsWorkerReload { return heard(.reloadRequested(by: .worker(process.id))) }
    // Once: what a worker repeats mustn't fill the log.
    if process.hasAskedInVain { return }
    process.hasAskedInVain = true
    log.warning("worker \(process.pid) asked for a reload, which --allow-worker-reload would allow")
  }

  // MARK: einhorn's clients

  /// The path where workers that were written for einhorn send their acknowledgement; nil if there is no place for it.
  private func einhornPath(for configuration: WorkerConfiguration) throws(MasterError) -> String? {
    guard configuration.compatibility.contains(.einhorn), let directory else { return nil }
    if let einhorn { return einhorn.path }
    let socket = try EinhornSocket(in: directory, loop: loop, log) { [unowned self] in acknowledged(pid: $0, uid: $1) }
    einhorn = socket
    return socket.path
  }

  private func acknowledged(pid: pid_t, uid: uid_t) {
    guard let process = processes.first(where: { $0.pid == pid && $0.state == .running }),
      process.release.configuration.compatibility.contains(.einhorn), process.isAcceptableSender(uid)
    else { return }
    process.conversation.acknowledged()
  }

  /// To be called before the control socket goes, so that its directory can be removed.
  func closeEinhorn() { einhorn = nil }

  // MARK: Upgrade

  func restore(_ saved: SavedState, _ releases: Releases, _ relay: OutputRelay) throws {
    for worker in saved.workers {
      let release = releases.known(worker.id.generation)
      let process = WorkerProcess(
        restoring: worker, release: release, output: try relay.restore(worker.output),
        cgroup: worker.cgroup.flatMap { cgroups?.restore($0) })
      if worker.sockets == nil { process.sockets = Self.sockets(release.listeners, worker.id.slot) }
      processes.append(process)
      listen(to: process)
    }
    for subject in saved.probes {
      prober.add(subject.id, releases.known(subject.id.generation), Listener(restoring: subject.listener))
    }
    if let einhorn = saved.einhorn {
      self.einhorn = try EinhornSocket(restoring: einhorn, loop: loop, log) { [unowned self] in
        acknowledged(pid: $0, uid: $1)
      }
    }
    spoken = Set(saved.spoken)
    goneOutputs = saved.goneOutputs ?? []
  }

  /// Continues with those that a former binary started.
  func resume(_ supervisor: Supervisor) {
    for process in processes where supervisor.isAwaitingReadiness(of: process.id) && !spoken.contains(process.id) {
      acceptance.await(process, process.release.listeners)
    }
    for process in processes where supervisor.isProbing(process.id) { prober.begin(process.id) }
  }

  /// Those that have sent a message but aren't ready.
  func spoken(_ supervisor: Supervisor) -> [WorkerID] {
    acceptance.spoken + spoken.filter { supervisor.isAwaitingReadiness(of: $0) }.sorted()
  }

  /// Ends the processes that look and probe: they aren't workers, and another binary starts its own.
  func interruptLooks() {
    prober.interrupt()
    acceptance.interrupt()
    retirees.abandon()
  }
}
