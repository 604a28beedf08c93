import Glibc

/// What `/proc/PID/stat` says of a process (proc_pid_stat(5)). Like everything here, it takes no lock of the process's
/// memory: a process that hangs in a page fault holds those, and asking for its command line would hang too.
package struct ProcessFacts: Hashable, Sendable {
  /// What the process calls itself, at most 15 bytes of any kind.
  package let name: String
  /// How it is: `R` running, `S` and `D` waiting, `T` stopped, `t` stopped by a tracer, `Z` ended and not reaped.
  package let state: UInt8
  package let parent: pid_t
  /// Its process group.
  package let group: pid_t
  package let session: pid_t
  /// When it was started, in clock ticks since boot: with its pid that is its identity. nil if the line is too short.
  package let started: Int?

  /// How many threads it has, including the first one even if that has ended.
  package let threads: Int
  /// User and system time, that of reaped children included.
  package let cpuTicks: Int
  /// nil if the line is too short.
  package let residentPages: Int?

  /// Whether it has ended. If only its first thread has, it continues.
  package var hasEnded: Bool { hasFirstThreadEnded && threads <= 1 }
  /// Whether the thread with the number of the process has ended: then only the others have things open.
  var hasFirstThreadEnded: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }
  /// Whether a signal or a tracer has stopped it.
  package var isStopped: Bool { state == UInt8(ascii: "T") || state == UInt8(ascii: "t") }

  /// Reads a line such as `7 (a name) S 1 7 7 …`. The name may contain anything, blanks and parentheses too.
  package init?(parsing content: ArraySlice<UInt8>) {
    guard let begin = content.firstIndex(of: UInt8(ascii: "(")), let end = content.lastIndex(of: UInt8(ascii: ")")),
      begin < end
    else { return nil }
    let words = content[(end + 1)...].words
    // What follows the name begins with the third field of proc_pid_stat(5): 14 to 17 are utime, stime, cutime and cstime,
    // 20 is num_threads, 22 starttime, 24 rss.
    func number<Number: FixedWidthInteger>(_ index: Int) -> Number? {
      words.indices.contains(index) ? words[index].number(radix: 10).flatMap { Number(exactly: $0) } : nil
    }
    guard let letter = words.first?.first, words[0].count == 1, let parent: pid_t = number(1),
      let group: pid_t = number(2), let session: pid_t = number(3)
    else { return nil }
    // The name goes into messages, and a process may put a line end into it.
    name = String(
      decoding: content[(begin + 1)..<end].map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
    state = letter
    self.parent = parent
    self.group = group
    self.session = session
    threads = number(17) ?? 1
    started = number(19)
    cpuTicks = (11...14).reduce(0) { $0 + (number($1) ?? 0) }
    residentPages = number(21)
  }

  /// What holds now; nil if the process is gone or hidden.
  package init?(of pid: pid_t) {
    guard let content = ProcessFile.contents("/proc/\(pid)/stat") else { return nil }
    self.init(parsing: content)
  }
}

/// What `/proc/PID/limits` says of a process, readable by all.
package enum ProcessLimits {
  /// The soft limit of RLIMIT_LOCKS; nil if there is none, or if the process is gone or hidden.
  package static func fileLocks(of pid: pid_t) -> UInt64? {
    ProcessFile.contents("/proc/\(pid)/limits").flatMap { fileLocks(parsing: $0) }
  }

  /// Reads the line that begins with `Max file locks`.
  package static func fileLocks(parsing content: ArraySlice<UInt8>) -> UInt64? {
    for line in content.lines {
      if let rest = line.after("Max file locks") { return rest.words.first?.number(radix: 10) }
    }
    return nil
  }
}
