/// What the doctor looks at, in the order in which it is reported.
enum Check: String, CaseIterable {
  case ready
  case listeners
  case requests
  case backlog
  case inFlight = "in flight"
  case keptAlive = "kept alive"
  case exit
  case sockets
  case children
  case handover
}

struct Finding: Encodable {
  enum Outcome: String, Encodable {
    case ok
    case warning
    case failure
  }

  let check: String
  let outcome: Outcome
  /// What was seen.
  let text: String
  let mend: String?
  /// The worker's last lines, if they may show why.
  let lastLines: [String]

  private init(_ check: String, _ outcome: Outcome, _ text: String, mend: String?, lastLines: [String] = []) {
    self.check = check
    self.outcome = outcome
    self.text = text
    self.mend = mend
    self.lastLines = lastLines
  }

  static func ok(_ check: Check, _ text: String) -> Finding { ok(check.rawValue, text) }
  static func ok(_ check: String, _ text: String) -> Finding { Finding(check, .ok, text, mend: nil) }

  static func warning(_ check: Check, _ text: String, mend: String) -> Finding {
    warning(check.rawValue, text, mend: mend)
  }
  static func warning(_ check: String, _ text: String, mend: String) -> Finding {
    Finding(check, .warning, text, mend: mend)
  }

  static func failure(_ check: Check, _ text: String, mend: String, lastLines: [String] = []) -> Finding {
    Finding(check.rawValue, .failure, text, mend: mend, lastLines: lastLines)
  }
  static func failure(_ check: String, _ text: String, mend: String) -> Finding {
    Finding(check, .failure, text, mend: mend)
  }
}
