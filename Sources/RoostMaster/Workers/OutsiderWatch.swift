import Glibc
import RoostCore
import RoostJSON
import RoostProcess
import RoostSystemd

/// What is known of outsiders. One search at a time; the loop waits for none.
final class OutsiderWatch {
  /// How long after a reload it is searched, where no other comes meanwhile, and at the latest.
  private static let pause: Duration = .seconds(1)
  private static let longestPause: Duration = .seconds(10)
  /// A search that takes longer hangs.
  private static let patienceMicroseconds: UInt64 = 30_000_000

  /// Those that the last search has found, each with the names of the listeners that it has open.
  private(set) var found: [(outsider: Outsider, listeners: [String])] = []
  /// Whether the last search could look at every process; nil where there was none since the last reload.
  private(set) var sawAll: Bool?
  /// Whether it was told that it couldn't.
  var hasToldOfUnseen = false
  /// The processes that search and aren't reaped yet.
  private(set) var pids: Set<pid_t> = []
  /// The first of the reloads since the last search.
  private var wished: Instant?
  private var search: ShortLivedProcess?
  private var began: UInt64 = 0
  private var isWantedAgain = false

  /// What was found isn't known to be all any more. Returns when it is to be searched.
  func wish() -> Instant {
    let now = Clock.now()
    let first = wished ?? now
    wished = first
    sawAll = nil
    return min(now + Self.pause, first + Self.longestPause)
  }

  /// Whether a search may begin. While one runs, the next is made when it has ended.
  func mayBegin() -> Bool {
    if search != nil, Clock.now().microseconds < began + Self.patienceMicroseconds {
      isWantedAgain = true
      return false
    }
    abandon()
    return true
  }

  /// Begins a search, and calls the handler when it has ended: with those that are new, and how many processes couldn't be
  /// looked at; nil if it gave no answer. `names` has the listeners' names by inode.
  func begin(
    _ search: OutsiderSearch, _ names: [UInt64: String], in loop: EventLoop,
    _ handler: @escaping (_ new: [(outsider: Outsider, listeners: [String])], _ unseen: Int?) -> Void
  ) throws {
    wished = nil
    let process = try ShortLivedProcess { search.answer() }
    pids.insert(process.pid)
    self.search = process
    began = Clock.now().microseconds
    try process.watch(in: loop) { [unowned self] answer in
      self.search = nil
      guard let finding = try? JSON(parsing: answer).decode(OutsiderSearch.Finding.self) else {
        sawAll = false
        return handler([], nil)
      }
      handler(take(finding, names), finding.unseen)
    }
  }

  private func take(
    _ finding: OutsiderSearch.Finding, _ names: [UInt64: String]
  ) -> [(outsider: Outsider, listeners: [String])] {
    let former = found
    sawAll = finding.isComplete
    found = finding.outsiders.map { outsider in
      (outsider, Set(outsider.sockets.compactMap { names[UInt64(truncatingIfNeeded: $0)] }).sorted())
    }
    return found.filter { new in !former.contains { $0.outsider.isSame(as: new.outsider) } }
  }

  /// Whether another search was asked for while one was running.
  func takeWish() -> Bool {
    defer { isWantedAgain = false }
    return isWantedAgain
  }

  /// Children of the master were reaped: their pids may be others' from now on.
  func reaped(_ pids: Set<pid_t>) { self.pids.subtract(pids) }

  /// Ends the search that runs.
  func abandon() {
    guard let search else { return }
    self.search = nil
    isWantedAgain = false
    // Not its group, of which it isn't the leader from its first moment on.
    if pids.contains(search.pid) { kill(search.pid, SIGKILL) }
  }
}
