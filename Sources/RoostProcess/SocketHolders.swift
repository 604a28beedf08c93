import Glibc

/// The processes of the whole system that have one of some sockets open. Looking at all of them takes a system call for
/// each existing descriptor: too much for a loop.
package struct SocketHolders: Sendable {
  /// A process that has some of the sockets open.
  package struct Holder: Hashable, Sendable {
    package let facts: ProcessFacts
    package let pid: pid_t
    /// The inodes of those of the sockets that it has open.
    package let sockets: Set<UInt64>
  }

  /// How far to look.
  struct Bounds {
    /// No more processes than this are looked at.
    var processes = 65536
    /// No more descriptors of a process than this are looked at.
    var descriptors = 65536
    /// When this time is over, no further process is looked at.
    var milliseconds = 5000
  }

  package private(set) var holders: [Holder] = []
  /// The processes that couldn't be looked at, or not at all of what they have open.
  package private(set) var unseen: [pid_t] = []
  /// Whether there may be processes of which not even the pid was seen.
  package private(set) var isCutShort = false

  package init(of sockets: Set<UInt64>) { self.init(of: sockets, within: Bounds()) }

  init(of sockets: Set<UInt64>, within bounds: Bounds) {
    let deadline = Self.milliseconds + bounds.milliseconds
    guard let pids = ProcessFile.numbers(in: "/proc", atMost: bounds.processes) else {
      isCutShort = true
      return
    }
    // If those of others are hidden (`hidepid=` of the mount), the first one is.
    isCutShort = pids.count == bounds.processes || ProcessFacts(of: 1) == nil
    for pid in pids {
      guard Self.milliseconds < deadline else {
        unseen.append(pid)
        continue
      }
      look(at: pid, sockets, bounds)
    }
  }

  /// Looks at one process; nil if it has none of the sockets open.
  package static func holder(_ pid: pid_t, of sockets: Set<UInt64>) -> Holder? {
    let found = OpenSockets.of(pid, among: sockets, atMost: Bounds().descriptors).found
    guard !found.isEmpty, let facts = ProcessFacts(of: pid) else { return nil }
    return Holder(facts: facts, pid: pid, sockets: found)
  }

  private mutating func look(at pid: pid_t, _ sockets: Set<UInt64>, _ bounds: Bounds) {
    let (found, isComplete) = OpenSockets.of(pid, among: sockets, atMost: bounds.descriptors)
    if found.isEmpty, isComplete { return }
    guard let facts = ProcessFacts(of: pid), !facts.hasEnded else { return }
    if !isComplete { unseen.append(pid) }
    if !found.isEmpty { holders.append(Holder(facts: facts, pid: pid, sockets: found)) }
  }

  private static var milliseconds: Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }
}
