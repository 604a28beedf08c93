import Glibc
import Logging
import RoostSystemd

/// The master's log: to the journal with fields if systemd reads stderr, else lines on stderr. Never waits for a
/// reader: workers write to the same pipe, and a reader that doesn't read mustn't be able to stop the master.
package final class Log {
  private var logger: Logger
  private var held: [LogRecord]?

  package init() {
    logger = Logger(label: "roost") { _ in
      if Self.stderrIsJournal, let journal = Journal() { return JournalLogHandler(journal) }
      return LineLogHandler(StandardStream(STDERR_FILENO))
    }
  }

  /// Adds a field to every record from now on.
  package func setField(_ name: String, _ value: String) {
    logger[metadataKey: name] = .string(value)
  }

  /// Reports what is as it should be.
  package func info(_ text: String) { write(LogRecord(.info, text)) }
  /// Reports what an operator should look at.
  package func warning(_ text: String) { write(LogRecord(.warning, text)) }
  /// Reports what has failed.
  package func error(_ text: String) { write(LogRecord(.error, text)) }

  /// Reports why the process ends, which it does at once. If the sender of a message has gone before it is read, the
  /// journal can't tell its unit (systemd#2913), and `journalctl -u` would lack it; for what comes through stderr it
  /// knows the unit by the stream. sd-daemon(3) describes the prefix.
  package func last(_ text: String) {
    guard Self.stderrIsJournal else { return error(text) }
    var line = "<\(Logger.Level.error.priority)>\(text.split(separator: "\n").joined(separator: "; "))\n"
    line.withUTF8 { bytes in _ = StandardStream(STDERR_FILENO).write(UnsafeRawBufferPointer(bytes)) }
  }

  /// Writes a record, or holds it back within `afterwards`.
  package func write(_ record: LogRecord) {
    if held == nil { put(record) } else { held?.append(record) }
  }

  /// Holds records back while the body acts, and then writes them: what is done mustn't wait for what is said about it.
  package func afterwards(_ body: () -> Void) {
    held = []
    body()
    let records = held ?? []
    held = nil
    for record in records { put(record) }
  }

  private func put(_ record: LogRecord) {
    logger.log(level: record.level, "\(record.text)", metadata: record.fields)
  }

  /// Whether stderr goes to the journal (JOURNAL_STREAM in systemd.exec(5)).
  package static var stderrIsJournal: Bool {
    guard let stream = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return false }
    var status = stat()
    guard fstat(STDERR_FILENO, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }
}

extension Logger.Level {
  /// Written out: asking the runtime for the name of a case would touch all of the binary's metadata.
  package var name: String {
    switch self {
    case .trace, .debug: "debug"
    case .info, .notice: "info"
    case .warning: "warning"
    case .error, .critical: "error"
    }
  }

  /// As syslog(3) counts.
  var priority: Int {
    switch self {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }
}
