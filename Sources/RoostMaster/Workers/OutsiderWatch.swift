import Glibc
import RoostControl
import RoostCore
import RoostJSON
import RoostLog
import RoostProcess
import RoostSystemd

/// Processes that have a listener and don't descend from the master aren't its to end, and no reload replaces them.
/// After each reload it looks for them, and reports them. One search at a time; the loop doesn't wait for it.
final class OutsiderWatch {
  /// How long after a reload the search begins, if no other comes meanwhile, and at the latest.
  private static let pause: Duration = .seconds(1)
  private static let longestPause: Duration = .seconds(10)
  /// A search that takes longer hangs.
  private static let patienceMicroseconds: UInt64 = 30_000_000

  /// Those that the last search has found, each with the names of the listeners that it has open.
  private(set) var found: [(outsider: Outsider, listeners: [String])] = []
  /// Whether the last search could look at every process; nil if there was none since the last reload.
  private(set) var sawAll: Bool?
  /// Whether it was logged that it couldn't.
  private var hasToldOfUnseen = false
  /// The first of the reloads since the last search.
  private var wished: Instant?
  private var search: ShortLivedProcess?
  private var began: UInt64 = 0
  private var isWantedAgain = false
  private let listeners: ServiceListeners
  private let workers: Workers
  private let log: Log
  private var loop: EventLoop?
  private var timer: Timer?
  private var tell: (ServiceEvent) -> Void = { _ in }

  init(_ listeners: ServiceListeners, _ workers: Workers, _ log: Log) {
    self.listeners = listeners
    self.workers = workers
    self.log = log
  }

  /// Calls the handler with what there is to report.
  func watch(in loop: EventLoop, _ tell: @escaping (ServiceEvent) -> Void) throws(SystemdError) {
    self.loop = loop
    self.tell = tell
    timer = try loop.timer(priority: .last) { [unowned self] in beginSearch() }
  }

  /// Lets a process look for them, a while after the last reload: it takes processor time, and after each fork the
  /// master pays for every page that it writes to.
  func searchSoon() { timer?.set(wish().microseconds) }

  /// What was found may no longer be all. Returns when to search.
  private func wish() -> Instant {
    let now = Clock.now()
    let first = wished ?? now
    wished = first
    sawAll = nil
    return min(now + Self.pause, first + Self.longestPause)
  }

  /// Whether a search may begin. While one runs, the next one is made when it has ended.
  private func mayBegin() -> Bool {
    if search != nil, Clock.now().microseconds < began + Self.patienceMicroseconds {
      isWantedAgain = true
      return false
    }
    abandon()
    return true
  }

  private func beginSearch() {
    guard !listeners.all.isEmpty, mayBegin(), let loop else { return }
    var names: [UInt64: String] = [:]
    for listener in listeners.all {
      for socket in listener.numbers.compactMap({ SocketIdentity(of: $0) }) { names[socket.inode] = listener.name }
    }
    let known = workers.running + workers.processes.flatMap { $0.strays.map(\.pid) }
    let search = OutsiderSearch(sockets: Set(names.keys), master: getpid(), known: Set(known))
    do {
      wished = nil
      let process = try ShortLivedProcess { tell in tell(search.answer()) }
      self.search = process
      began = Clock.now().microseconds
      try process.watch(in: loop) { [unowned self] in answered($0, names) }
    } catch {
      log.warning("cannot check which processes have a listener open: \(error)")
    }
  }

  private func answered(_ answer: [UInt8], _ names: [UInt64: String]) {
    search = nil
    let finding = try? JSON(parsing: answer).decode(OutsiderSearch.Finding.self)
    sawAll = finding?.isComplete ?? false
    tellOfUnseen(finding?.unseen)
    if let finding { take(finding, names) }
    guard isWantedAgain else { return }
    isWantedAgain = false
    searchSoon()
  }

  private func take(_ finding: OutsiderSearch.Finding, _ names: [UInt64: String]) {
    let former = found
    found = finding.outsiders.map { outsider in
      (outsider, Set(outsider.sockets.compactMap { names[UInt64(truncatingIfNeeded: $0)] }).sorted())
    }
    let new = found.filter { new in !former.contains { $0.outsider.isSame(as: new.outsider) } }
    if new.isEmpty { return }
    let isOne = new.count == 1
    let names = Set(new.flatMap(\.listeners)).sorted().joined(separator: ", ")
    let pids = new.prefix([String].shownProcesses).map { "\($0.outsider.pid)" }.joined(separator: " ")
    tell(
      ServiceEvent(
        .outsiderFound, .warning,
        "\(new.map(\.outsider.text).asProcesses) \(isOne ? "doesn't" : "don't") belong to this service, "
          + "\(isOne ? "has" : "have") the socket of \(names) open and may take its connections, even after a reload: "
          + "'kill \(pids)' ends \(isOne ? "it" : "them"), if this isn't intended",
        at: Clock.time()))
  }

  /// Once: if the master may not look, it never may.
  private func tellOfUnseen(_ unseen: Int?) {
    guard !hasToldOfUnseen, sawAll == false else { return }
    hasToldOfUnseen = true
    guard let unseen else { return log.warning("checking which processes have a listener open gave no answer") }
    let what =
      unseen == 0
      ? "not all processes can be seen" : "\(unseen) \(unseen == 1 ? "process" : "processes") can't be looked at"
    log.info(
      "\(what), so processes outside this service may have its listeners open without being reported (docs/control.md)")
  }

  /// Those that are still there, for the status.
  var reports: [ServiceStatus.Outsider] {
    found.filter(\.outsider.isAlive).map {
      ServiceStatus.Outsider(pid: $0.outsider.pid, name: $0.outsider.name, listeners: $0.listeners)
    }
  }

  /// Ends a running search, and begins none.
  func abandon() {
    timer?.set(nil)
    guard let search else { return }
    self.search = nil
    isWantedAgain = false
    OwnProcesses.kill(search.pid)
  }
}
