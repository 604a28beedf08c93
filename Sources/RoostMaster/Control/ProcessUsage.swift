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
      if pids.count < Self.maximumProcesses { pids += Self.children(of: pids[index]) }
      index += 1
    }
  }

  /// Some of its children. A worker decides how many it has, and the kernel searches the list from its beginning again
  /// for each part that is read: only the first is.
  private static func children(of pid: pid_t) -> [pid_t] {
    // A space follows each of them; what follows the last one was cut off.
    guard let text = ProcessFile.contents("/proc/\(pid)/task/\(pid)/children", atMost: 4096),
      let end = text.lastIndex(of: UInt8(ascii: " "))
    else { return [] }
    return ProcessTree.children(parsing: text[..<end])
  }

  private static let ticksPerSecond = max(1, sysconf(Int32(_SC_CLK_TCK)))
  private static let pageSize = sysconf(Int32(_SC_PAGESIZE))
}
