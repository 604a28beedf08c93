import Glibc

/// The processes that work for the master itself, until they are reaped: then their pids may belong to others.
enum OwnProcesses {
  // The master has one thread.
  nonisolated(unsafe) private(set) static var pids: Set<pid_t> = []

  static func began(_ pid: pid_t) { pids.insert(pid) }

  /// A child of the master was reaped.
  static func reaped(_ pid: pid_t) { pids.remove(pid) }

  /// Ends one, if the kernel lets it. Not its group, which a copy of the master doesn't lead.
  static func kill(_ pid: pid_t) {
    if pids.contains(pid) { Glibc.kill(pid, SIGKILL) }
  }
}
