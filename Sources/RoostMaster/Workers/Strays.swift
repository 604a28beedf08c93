import Glibc
import RoostCore
import RoostProcess

/// The children of the master that it hasn't started: what its processes have left behind. Being a subreaper, the
/// master becomes the parent of those that lose theirs. It only looks when a worker has exited.
final class Strays {
  private struct Child {
    /// The number of the worker that it descends from.
    let worker: Int?
    /// What it descends from, in words.
    let origin: String
  }

  /// No more descendants of one child than this are looked at.
  private static let mostDescendants = 1024

  private var children: [pid_t: Child] = [:]
  /// No more processes of an exited worker than this are looked at.
  private static let mostSurvivors = 4096
  /// The children of which not all descendants were looked at, and whether that was logged.
  private var overlooked: [pid_t: Bool] = [:]
  /// The children that descend from each worker, by its number.
  private var ofWorkers: [Int: [pid_t]] = [:]

  /// Looks for new ones. A child's pid is its own until the master reaps it, so each is looked at once. Returns those
  /// whose worker isn't among `workers`: it was forgotten before they were seen.
  func look(beside known: Set<pid_t>, _ workers: [WorkerProcess]) -> [pid_t] {
    var late: [pid_t] = []
    for pid in ProcessTree.ownChildren() where !known.contains(pid) && children[pid] == nil {
      let mark = ProcessMark(of: pid)
      let worker = workers.first { Self.owns($0, pid, mark) }
      if let worker { ofWorkers[worker.id.number, default: []].append(pid) }
      children[pid] = Child(worker: worker?.id.number, origin: worker?.title ?? Self.words(for: mark))
      if worker == nil, case .worker = mark?.origin { late.append(pid) }
    }
    return late
  }

  private static func owns(_ worker: WorkerProcess, _ pid: pid_t, _ mark: ProcessMark?) -> Bool {
    switch mark?.origin {
    case .worker(let number): worker.id.number == number
    case .hook, .probe: false
    // If processes can't be marked, there is the session, which a stray may have left.
    case nil: ProcessFacts(of: pid)?.session == worker.pid
    }
  }

  /// A child of the master was reaped.
  func reaped(_ pid: pid_t) {
    overlooked[pid] = nil
    guard let number = children.removeValue(forKey: pid)?.worker else { return }
    ofWorkers[number]?.removeAll { $0 == pid }
    if ofWorkers[number]?.isEmpty == true { ofWorkers[number] = nil }
  }

  /// The processes that descend from an exited worker, as far as the last look has seen their roots.
  func survivors(of worker: WorkerProcess) -> [Survivor] {
    var seen: Set<pid_t> = []
    var pids: [pid_t] = []
    for child in ofWorkers[worker.id.number] ?? [] {
      let room = min(Self.mostDescendants, Self.mostSurvivors - pids.count)
      guard room > 0 else {
        if worker.cgroup == nil { overlooked[child] = overlooked[child] ?? false }
        break
      }
      let descendants = ProcessTree.pids(below: child, atMost: room)
      if descendants.count == room, worker.cgroup == nil { overlooked[child] = overlooked[child] ?? false }
      pids += descendants
    }
    pids += (worker.cgroup?.processes ?? []).prefix(Self.mostSurvivors)
    return pids.filter { seen.insert($0).inserted }.compactMap { Survivor($0, of: worker) }
  }

  /// Whether there are more than are looked at, if the worker has a cgroup, which nothing leaves.
  func isCrowded(_ worker: WorkerProcess) -> Bool { (worker.cgroup?.processes.count ?? 0) > Self.mostSurvivors }

  /// The children with more descendants than are looked at, seen since the last call.
  func takeOverlooked() -> [pid_t] {
    let new = overlooked.filter { !$0.value }.keys.sorted()
    for pid in new { overlooked[pid] = true }
    return new
  }

  /// What a child that the master hasn't started descends from, in words.
  func origin(of pid: pid_t) -> String { children[pid]?.origin ?? Self.words(for: ProcessMark(of: pid)) }

  private static func words(for mark: ProcessMark?) -> String {
    switch mark?.origin {
    case .worker: "a worker"
    case .hook(let hook): hook.rawValue
    case .probe: "a probe"
    case nil: "a process that has ended"
    }
  }
}

/// A process that a worker has left behind.
struct Survivor: Hashable {
  let pid: pid_t
  let name: String
  /// Whether it is in the worker's process group.
  let isInGroup: Bool

  /// In words.
  var text: String { "\(pid) (\(name))" }

  private let sockets: Set<UInt64>

  /// What it is now; nil if it has ended.
  fileprivate init?(_ pid: pid_t, of worker: WorkerProcess) {
    guard let facts = ProcessFacts(of: pid), !facts.hasEnded else { return nil }
    self.pid = pid
    name = facts.name
    isInGroup = facts.group == worker.pid
    sockets = worker.sockets
  }

  /// Whether it has a socket open that the worker was given. One that can't be looked at counts as one that has: it may
  /// be serving. So does one that exceeds what may be looked at in one go.
  func holdsListener(within budget: inout Int) -> Bool {
    OpenSockets.holds(pid, anyOf: sockets, within: &budget) ?? true
  }
}
