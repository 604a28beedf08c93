import Glibc
import Logging
import Synchronization

/// Writes records as lines on stderr: `TIMESTAMP level sentence`, and on a terminal the local time, with a colour for
/// what matters.
struct LineLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info
  private let stream: LineStream
  private let lost = LostLines()
  private var isTerminal: Bool { stream.stream.isTerminal }

  init(_ stream: consuming StandardStream) {
    self.stream = LineStream(stream)
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    lost.write { text in attempt(line(text == nil ? event.level : .warning, text ?? "\(event.message)")) }
  }

  private func line(_ level: Logger.Level, _ text: String) -> String {
    // A pipe that can be written to takes PIPE_BUF bytes, 4096, at once (pipe(7)).
    let text = text.utf8.count <= 4000 ? text : text.prefix(1000) + " …"
    guard isTerminal else { return "\(Timestamp.utc()) \(level.name) \(text)\n" }
    let coloured: String =
      switch level {
      case .error, .critical: "\u{1b}[31m\(text)\u{1b}[0m"
      case .warning: "\u{1b}[33m\(text)\u{1b}[0m"
      case .trace, .debug, .info, .notice: text
      }
    return "\u{1b}[2m\(Timestamp.local())\u{1b}[0m \(coloured)\n"
  }

  /// Why the line couldn't be written, if it couldn't. It is dropped if writing would have to wait.
  private func attempt(_ line: String) -> String? {
    switch stream.write(line) {
    case .written: nil
    case .full, .failed(EPIPE): LostLines.unread
    case .failed(let number): String(cString: strerror(number))
    }
  }
}

/// Shared by the copies of a handler.
private final class LineStream: Sendable {
  let stream: StandardStream
  /// Whether a line couldn't be written to its end, for example because a disk got full: the next one must not continue
  /// it.
  private let hasHalf = Mutex(false)

  init(_ stream: consuming StandardStream) {
    self.stream = stream
  }

  /// Writes a line. `.written` means all of it.
  func write(_ line: String) -> StandardStream.Outcome {
    hasHalf.withLock { hasHalf in
      let bytes = Array((hasHalf ? "\n\(line)" : line).utf8)
      var rest = bytes[...]
      while !rest.isEmpty {
        // A file takes what it has room for, and gives the reason only on the next write.
        let outcome = rest.withUnsafeBytes { stream.write($0) }
        guard case .written(let count) = outcome else {
          if rest.count < bytes.count { hasHalf = true }
          return outcome
        }
        rest = rest.dropFirst(count)
      }
      hasHalf = false
      return .written(bytes.count)
    }
  }
}

/// The time of day, without anything that Foundation needs for it.
private enum Timestamp {
  static func utc() -> String {
    let (parts, milliseconds) = now(gmtime_r)
    return "\(format("%Y-%m-%dT%H:%M:%S", parts)).\(milliseconds)Z"
  }

  static func local() -> String {
    let (parts, milliseconds) = now(localtime_r)
    return "\(format("%H:%M:%S", parts)).\(milliseconds)"
  }

  private static func now(
    _ convert: (UnsafePointer<time_t>?, UnsafeMutablePointer<tm>?) -> UnsafeMutablePointer<tm>?
  ) -> (tm, String) {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    var parts = tm()
    _ = convert(&time.tv_sec, &parts)
    let milliseconds = time.tv_nsec / 1_000_000
    let zeros = milliseconds < 10 ? "00" : milliseconds < 100 ? "0" : ""
    return (parts, "\(zeros)\(milliseconds)")
  }

  private static func format(_ format: String, _ parts: tm) -> String {
    var parts = parts
    return String(unsafeUninitializedCapacity: 32) { text in
      text.withMemoryRebound(to: CChar.self) { strftime($0.baseAddress!, $0.count, format, &parts) }
    }
  }
}
