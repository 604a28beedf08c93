import Glibc

/// A process and its descendants, whatever groups and sessions these have moved to.
package enum ProcessTree {
  /// No more processes than this are looked at, unless the caller asks for it.
  package static let maximumCount = 256

  /// The pids, the process's own first. A process that ends meanwhile may hide its descendants.
  package static func pids(below root: pid_t, atMost maximumCount: Int = maximumCount) -> [pid_t] {
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

  /// The pids of the calling thread's children; none if the kernel doesn't reveal them. None is left out as long as
  /// this thread reaps no child meanwhile: new children are added at the end.
  package static func ownChildren() -> [pid_t] {
    ProcessFile.contents("/proc/thread-self/children").map { children(parsing: $0) } ?? []
  }

  /// The pids of a process's parent, its parent's parent and so on. A process that ends meanwhile may hide its ancestors.
  package static func ancestors(of pid: pid_t) -> [pid_t] {
    var pids: [pid_t] = []
    var pid = pid
    // The bound is for pids that are reused meanwhile.
    while pids.count < maximumCount, let parent = ProcessFacts(of: pid)?.parent, parent > 0 {
      pids.append(parent)
      pid = parent
    }
    return pids
  }

  /// Reads pids separated by blanks (proc_pid_children(5)). What isn't a number is skipped.
  package static func children(parsing content: ArraySlice<UInt8>) -> [pid_t] {
    content.words.compactMap { word in word.number(radix: 10).flatMap { pid_t(exactly: $0) } }.filter { $0 > 0 }
  }
}
