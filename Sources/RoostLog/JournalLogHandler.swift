import Logging
import RoostSystemd

/// Writes records to the journal, each with its fields (systemd.journal-fields(7)).
struct JournalLogHandler: LogHandler {
  private let journal: Journal
  private let lost = LostLines()
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  init(_ journal: Journal) {
    self.journal = journal
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    lost.write { text in
      guard let text else { return send("\(event.message)", event.level, event.metadata ?? [:]) }
      return send(text, .warning, [:])
    }
  }

  private func send(_ text: String, _ level: Logger.Level, _ fields: Logger.Metadata) -> String? {
    var entry = [("MESSAGE", text), ("PRIORITY", "\(level.priority)"), ("SYSLOG_IDENTIFIER", "roost")]
    for (name, value) in metadata { entry.append((name, "\(value)")) }
    for (name, value) in fields { entry.append((name, "\(value)")) }
    return journal.send(entry) ? nil : LostLines.unread
  }
}
