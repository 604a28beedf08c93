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
    isStopped = ProcessFacts(of: pid)?.isStopped ?? false
    var pids = [pid]
    var index = 0
    while index < pids.count, index < Self.maximumProcesses {
      if !add(pids[index]), index == 0 { return nil }
      pids += Self.children(of: pids[index])
      index += 1
    }
  }

  private mutating func add(_ pid: pid_t) -> Bool {
    guard let fields = Self.fields(of: pid) else { return false }
    // From the third field on (proc_pid_stat(5)): utime, stime, cutime and cstime are 14 to 17, rss is 24.
    for index in 11...14 { cpuMilliseconds += fields[index] * 1000 / Self.ticksPerSecond }
    memoryBytes += fields[21] * Self.pageSize
    return true
  }

  private static let ticksPerSecond = max(1, sysconf(Int32(_SC_CLK_TCK)))
  private static let pageSize = sysconf(Int32(_SC_PAGESIZE))

  /// The numbers after the name, which may contain anything, blanks and parentheses too.
  private static func fields(of pid: pid_t) -> [Int]? {
    guard let content = contents("/proc/\(pid)/stat"), let end = content.lastIndex(of: UInt8(ascii: ")")) else {
      return nil
    }
    let fields = content[(end + 1)...].split(separator: 0x20).map { Int(String(decoding: $0, as: UTF8.self)) ?? 0 }
    return fields.count > 21 ? fields : nil
  }

  private static func children(of pid: pid_t) -> [pid_t] {
    guard let content = contents("/proc/\(pid)/task/\(pid)/children") else { return [] }
    return content.split(separator: 0x20).compactMap { pid_t(String(decoding: $0, as: UTF8.self)) }
  }

  private static func contents(_ path: String) -> [UInt8]? {
    let number = open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { return nil }
    let descriptor = Descriptor(adopting: number)
    var content = [UInt8](repeating: 0, count: 4096)
    let count = read(descriptor.number, &content, content.count)
    return count > 0 ? Array(content[..<count]) : nil
  }
}
