import Glibc
import RoostJSON
import RoostProcess

/// The look at what some retirees still do. A separate process takes it, because a look may have to wait.
struct RetireeSearch {
  /// A worker that was told to drain, or what it has left behind.
  struct Subject {
    /// Its number.
    let worker: Int
    /// These, all that descend from them, and all of the group.
    let processes: [pid_t]
    let group: pid_t?
    let listeners: Set<SocketIdentity>
    let places: Set<ListenerPlace>?
    /// The connections that the last look saw; nil if it didn't see them, or not all.
    let former: Set<UInt64>?
  }

  struct Sight: Codable, Hashable {
    let worker: Int
    /// nil if that isn't known (DrainSight).
    let accepts: Bool?
    let connections: Int?
    let peers: [String]
    /// Which connections these are, unless there are too many to be compared with the next look.
    let sockets: [UInt64]?
  }

  /// More connections than this aren't compared: the master keeps them in between.
  private static let mostCompared = 1024
  /// No more processes than this are looked at.
  private static let mostProcesses = 16384

  let subjects: [Subject]
  let master: pid_t

  /// In the process that looks: reports one retiree after the other, a line each.
  func run(_ tell: ([UInt8]) -> Void) {
    // What serves comes first.
    _ = nice(19)
    let pids = ProcessTree.pids(below: master, atMost: Self.mostProcesses)
    let processes = pids.compactMap { pid in ProcessFacts(of: pid).map { (pid: pid, facts: $0) } }
    for subject in subjects {
      let sight = Self.sight(
        of: subject, Self.members(of: subject, among: processes), isAll: pids.count < Self.mostProcesses)
      tell(Array(JSON(of: sight).text.utf8) + [UInt8(ascii: "\n")])
    }
  }

  /// The pids of all that belong to it. Of the processes, parents come before their children.
  static func members(of subject: Subject, among processes: [(pid: pid_t, facts: ProcessFacts)]) -> [pid_t] {
    var pids = subject.processes
    var members = Set(pids)
    for (pid, facts) in processes where facts.group == subject.group || members.contains(facts.parent) {
      if members.insert(pid).inserted { pids.append(pid) }
    }
    return pids
  }

  private static func sight(of subject: Subject, _ pids: [pid_t], isAll: Bool) -> Sight {
    let seen = DrainSight(of: pids, subject.listeners, at: subject.places).compared(with: subject.former)
    let connections = isAll ? seen.connections : nil
    return Sight(
      worker: subject.worker, accepts: isAll || seen.accepts == true ? seen.accepts : nil,
      connections: connections?.count, peers: connections == nil ? [] : seen.peers,
      sockets: connections.flatMap { $0.count <= mostCompared ? $0 : nil })
  }

  /// What was reported, as far as it is complete.
  static func sights(_ answer: [UInt8]) -> [Sight] {
    answer.split(separator: UInt8(ascii: "\n")).compactMap { try? JSON(parsing: Array($0)).decode(Sight.self) }
  }
}

extension RetireeSearch.Sight {
  /// `12 open connections (from 10.0.0.7:51512, 10.0.0.8:40214 and 10 more)`; nil if they aren't known.
  var connectionsText: String? {
    guard let connections else { return nil }
    if connections == 0 { return "no open connection" }
    let count = connections == 1 ? "1 open connection" : "\(connections) open connections"
    if peers.isEmpty { return count }
    let rest = connections > peers.count ? " and \(connections - peers.count) more" : ""
    return "\(count) (from \(peers.joined(separator: ", "))\(rest))"
  }
}
