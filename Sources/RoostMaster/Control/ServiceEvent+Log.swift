import Logging
import RoostControl
import RoostLog

extension ServiceEvent {
  /// For the log (docs/operating.md lists the fields).
  var record: LogRecord {
    var fields: Logger.Metadata = ["ROOST_EVENT": "\(kind)"]
    if let id = knownKind?.messageID { fields["MESSAGE_ID"] = "\(id)" }
    if let generation { fields["ROOST_GENERATION"] = .string("\(generation)") }
    if let slot { fields["ROOST_SLOT"] = .string("\(slot)") }
    if let pid { fields["WORKER_PID"] = .string("\(pid)") }
    return LogRecord(Logger.Level(rawValue: level.rawValue) ?? .info, message, fields: fields)
  }
}
