import Logging
import RoostSystemd

/// Writes records to the journal, each with its fields (systemd.journal-fields(7)).
struct JournalLogHandler: LogHandler {
  private let journal: Journal
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
    var assignments = [
      "MESSAGE=\(event.message)", "PRIORITY=\(event.level.priority)", "SYSLOG_IDENTIFIER=roost",
    ]
    for (name, value) in metadata { assignments.append("\(name)=\(value)") }
    for (name, value) in event.metadata ?? [:] { assignments.append("\(name)=\(value)") }
    journal.send(assignments)
  }
}
