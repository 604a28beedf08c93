import Glibc

/// A process and its descendants, whatever groups and sessions these have moved to.
public enum ProcessTree {
  /// More processes aren't looked at.
  public static let maximumCount = 256

  /// The pids, the process's own first. A process that ends meanwhile may hide its descendants.
  public static func pids(below root: pid_t) -> [pid_t] {
    var pids = [root]
    var index = 0
    while index < pids.count, pids.count < maximumCount {
      let tasks = "/proc/\(pids[index])/task"
      for thread in ProcessFile.numbers(in: tasks, atMost: 1024) ?? [] {
        guard let content = ProcessFile.contents("\(tasks)/\(thread)/children") else { continue }
        pids += children(parsing: content)
      }
      index += 1
    }
    return Array(pids.prefix(maximumCount))
  }

  /// Reads pids separated by blanks (proc_pid_children(5)). What isn't a number is passed over.
  public static func children(parsing content: ArraySlice<UInt8>) -> [pid_t] {
    content.words.compactMap { word in word.number(radix: 10).flatMap { pid_t(exactly: $0) } }.filter { $0 > 0 }
  }
}
