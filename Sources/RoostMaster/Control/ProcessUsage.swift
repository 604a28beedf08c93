import Glibc
import RoostProcess

/// What a process and its descendants use (proc(5)).
struct ProcessUsage {
  /// Of a worker with more descendants, only this many are looked at: a client waits for the answer.
  private static let maximumProcesses = 256

  /// Resident memory. Memory that processes share is counted for each.
  private(set) var memoryBytes = 0
  /// User and system time, that of reaped children included.
  private(set) var cpuMilliseconds = 0
  /// Whether a signal or a tracer has stopped the process itself.
  let isStopped: Bool

  /// The usage now; nil if the process is gone.
  init?(of pid: pid_t) {
    guard let own = ProcessFacts(of: pid), own.residentPages != nil else { return nil }
    isStopped = own.isStopped
    var pids = [pid]
    var index = 0
    while index < pids.count, index < Self.maximumProcesses {
      if let facts = ProcessFacts(of: pids[index]) {
        cpuMilliseconds += facts.cpuTicks * 1000 / Self.ticksPerSecond
        memoryBytes += (facts.residentPages ?? 0) * Self.pageSize
      }
      let children = ProcessFile.contents("/proc/\(pids[index])/task/\(pids[index])/children")
      pids += ProcessTree.children(parsing: children ?? [])
      index += 1
    }
  }

  private static let ticksPerSecond = max(1, sysconf(Int32(_SC_CLK_TCK)))
  private static let pageSize = sysconf(Int32(_SC_PAGESIZE))
}
