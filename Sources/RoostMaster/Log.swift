import Glibc

/// The master's log: lines on stderr.
final class Log {
  enum Level: Int {
    case error = 3
    case warning = 4
    case info = 6

    /// Written out: asking the runtime for the name of a case would touch all of the binary's metadata.
    var name: String {
      switch self {
      case .error: "error"
      case .warning: "warning"
      case .info: "info"
      }
    }
  }

  private let isJournal = Log.stderrIsJournal()
  private var lost = 0
  private var held: [String]?

  func info(_ text: String) { write(.info, text) }
  func warning(_ text: String) { write(.warning, text) }
  func error(_ text: String) { write(.error, text) }

  func write(_ level: Level, _ text: String) {
    let line = line(level, text)
    if held == nil { put(line) } else { held?.append(line) }
  }

  /// Keeps lines back while the body acts, and writes them then: what is done mustn't wait for what is said about it.
  func afterwards(_ body: () -> Void) {
    held = []
    body()
    let lines = held ?? []
    held = nil
    for line in lines { put(line) }
  }

  private func put(_ line: String) {
    if lost > 0, attempt(self.line(.warning, "\(lost) lines of this log were lost: nobody read it")) { lost = 0 }
    if lost > 0 || !attempt(line) { lost += 1 }
  }

  /// The journal has a time of its own, and takes the priority from a prefix (sd-daemon(3)).
  private func line(_ level: Level, _ text: String) -> String {
    // A pipe that can be written to takes PIPE_BUF bytes, 4096, at once (pipe(7)).
    let text = text.utf8.count <= 4000 ? text : text.prefix(1000) + " …"
    return isJournal ? "<\(level.rawValue)>\(text)\n" : "\(Self.timestamp()) \(level.name) \(text)\n"
  }

  /// Whether the line was written. It is dropped where writing would have to wait: workers write to the same pipe, and
  /// whoever doesn't read it mustn't be able to stop the master.
  private func attempt(_ line: String) -> Bool {
    var poll = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
    guard Glibc.poll(&poll, 1, 0) == 1, poll.revents & Int16(POLLOUT) != 0 else { return false }
    var line = line
    return line.withUTF8 { bytes in
      Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count) == bytes.count
    }
  }

  private static func timestamp() -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    var parts = tm()
    gmtime_r(&time.tv_sec, &parts)
    let seconds = String(unsafeUninitializedCapacity: 32) { text in
      text.withMemoryRebound(to: CChar.self) { strftime($0.baseAddress!, $0.count, "%Y-%m-%dT%H:%M:%S", &parts) }
    }
    let milliseconds = time.tv_nsec / 1_000_000
    let zeros = milliseconds < 10 ? "00" : milliseconds < 100 ? "0" : ""
    return "\(seconds).\(zeros)\(milliseconds)Z"
  }

  /// Whether stderr goes to the journal (JOURNAL_STREAM in systemd.exec(5)).
  private static func stderrIsJournal() -> Bool {
    guard let stream = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return false }
    var status = stat()
    guard fstat(STDERR_FILENO, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }
}
