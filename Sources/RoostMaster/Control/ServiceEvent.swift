import Glibc
import Logging
import RoostControl
import RoostJSON
import RoostLog

/// What is reported to the operator, in all its forms.
struct ServiceEvent {
  enum Level {
    case info
    case warning
    case error
  }

  let kind: EventKind
  let level: Level
  /// One sentence.
  let text: String
  let generation: Int?
  let slot: Int?
  let pid: pid_t?

  init(
    _ kind: EventKind, _ level: Level, _ text: String, generation: Int? = nil, slot: Int? = nil, pid: pid_t? = nil
  ) {
    self.kind = kind
    self.level = level
    self.text = text
    self.generation = generation
    self.slot = slot
    self.pid = pid
  }

  /// For the log (docs/operating.md lists the fields).
  var record: LogRecord {
    var fields: Logger.Metadata = ["MESSAGE_ID": "\(kind.messageID)", "ROOST_EVENT": "\(kind.name)"]
    if let generation { fields["ROOST_GENERATION"] = .string("\(generation)") }
    if let slot { fields["ROOST_SLOT"] = .string("\(slot)") }
    if let pid { fields["WORKER_PID"] = .string("\(pid)") }
    return LogRecord(logLevel, text, fields: fields)
  }

  /// For the clients of the control socket.
  var json: JSON {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return [
      "time": .integer(time.tv_sec * 1_000_000 + time.tv_nsec / 1000),
      "kind": .string(String(kind.name)),
      "level": .string(logLevel.name),
      "message": .string(text),
      "generation": generation.map(JSON.integer) ?? .null,
      "slot": slot.map(JSON.integer) ?? .null,
      "pid": pid.map { .integer(Int($0)) } ?? .null,
    ]
  }

  private var logLevel: Logger.Level {
    switch level {
    case .info: .info
    case .warning: .warning
    case .error: .error
    }
  }
}
