import Glibc
import RoostJSON
import RoostProcess

/// A process that has a listener open and doesn't belong to the service: it was passed the socket, as when a release
/// hands it to its own daemon (unix(7), SCM_RIGHTS). It may accept connections, and no reload replaces it.
struct Outsider: Codable, Hashable {
  let pid: pid_t
  /// When it was started, in clock ticks since boot. Its pid may belong to another process later.
  let started: Int
  let name: String
  /// The inodes of the sockets.
  let sockets: [Int]

  /// In words.
  var text: String { "\(pid) (\(name))" }

  var isAlive: Bool {
    guard let facts = ProcessFacts(of: pid) else { return false }
    return facts.started == started && !facts.hasEnded
  }

  func isSame(as other: Outsider) -> Bool { pid == other.pid && started == other.started }
}

/// The search for outsiders, which looks at all processes of the system. A separate process makes it.
struct OutsiderSearch {
  struct Finding: Codable {
    let outsiders: [Outsider]
    /// How many processes that may be outsiders couldn't be looked at.
    let unseen: Int
    /// Whether every process was seen, and looked at.
    let isComplete: Bool
  }

  /// More than these are neither reported nor shown.
  private static let maximumCount = 64
  /// After this time a finding is checked again: a process that was just forked has everything open that its parent
  /// has, until it executes.
  private static let confirmationMicroseconds: UInt32 = 200_000

  /// The inodes of the listeners.
  let sockets: Set<UInt64>
  let master: pid_t
  /// Processes of the service that need not descend from the master.
  let known: Set<pid_t>

  /// In the process that searches.
  func answer() -> [UInt8] {
    // What serves comes first.
    _ = nice(19)
    return Array(JSON(of: finding()).text.utf8)
  }

  private func finding() -> Finding {
    // Processes above the master may have opened its listeners: systemd keeps those of its socket units, and what is in
    // the fd store. Nothing that a worker starts gets among them.
    let above = Set(ProcessTree.ancestors(of: master) + [1, master])
    let seen = SocketHolders(of: sockets)
    let outside = seen.holders.filter { isOutside($0.pid, above) }
    var outsiders: [Outsider] = []
    if !outside.isEmpty {
      usleep(Self.confirmationMicroseconds)
      outsiders = outside.prefix(Self.maximumCount).compactMap { confirmed($0, above) }
    }
    let unseen = seen.unseen.count { isOutside($0, above) }
    return Finding(outsiders: outsiders, unseen: unseen, isComplete: unseen == 0 && !seen.isCutShort)
  }

  private func isOutside(_ pid: pid_t, _ above: Set<pid_t>) -> Bool {
    if above.contains(pid) || known.contains(pid) { return false }
    return !ProcessTree.ancestors(of: pid).contains { $0 == master || known.contains($0) }
  }

  private func confirmed(_ holder: SocketHolders.Holder, _ above: Set<pid_t>) -> Outsider? {
    guard let now = SocketHolders.holder(holder.pid, of: sockets), let started = now.facts.started,
      started == holder.facts.started, !now.facts.hasEnded, isOutside(now.pid, above)
    else { return nil }
    return Outsider(
      pid: now.pid, started: started, name: now.facts.name,
      sockets: now.sockets.map { Int(truncatingIfNeeded: $0) }.sorted())
  }
}
