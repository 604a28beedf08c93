/// A message to the supervisor above (sd_notify(3)).
struct UpstreamMessage {
  /// What a message is about. A newer one replaces an unsent one of the same subject, and those that it makes
  /// pointless.
  enum Subject: Hashable, Codable {
    /// That the event loop runs.
    case watchdog
    /// `RELOADING=1`, with the status that goes with it.
    case reloading
    /// `READY=1` or `STOPPING=1`, with the status that goes with it.
    case state
    case moreTime
    case status
    /// A socket of this name that systemd is to keep.
    case keep(String)
    /// A name under which systemd is to keep nothing any more.
    case drop(String)
  }

  let subject: Subject
  /// Newline-separated assignments.
  let assignments: String
  /// A copy of the socket that goes along with it. The listener may be closed before it is sent.
  let socket: SharedSocket?

  init(_ subject: Subject, _ assignments: String, socket: SharedSocket? = nil) {
    self.subject = subject
    self.assignments = assignments
    self.socket = socket
  }

  /// Whether an older message no longer needs to be sent once this one is there.
  func replaces(_ older: Subject) -> Bool {
    switch (subject, older) {
    // A state brings its status along, and ends the time that was asked for. But after a SIGHUP systemd waits for both:
    // it takes a READY=1 without a RELOADING=1 before it for an older one (Type=notify-reload in systemd.service(5)).
    case (.state, .state), (.state, .status), (.state, .moreTime): true
    case (.reloading, .reloading), (.reloading, .state), (.reloading, .status), (.reloading, .moreTime): true
    case (.watchdog, .watchdog), (.moreTime, .moreTime), (.status, .status): true
    case (.keep(let name), .keep(let former)), (.drop(let name), .keep(let former)),
      (.drop(let name), .drop(let former)):
      name == former
    case (.state, _), (.reloading, _), (.watchdog, _), (.moreTime, _), (.status, _), (.keep, _), (.drop, _): false
    }
  }
}

/// What waits to be sent, in order. It can't grow endlessly: a newer message replaces the former one.
struct UpstreamQueue {
  private(set) var messages: [UpstreamMessage] = []

  mutating func append(_ message: UpstreamMessage) {
    messages.removeAll { message.replaces($0.subject) }
    // It can't wait behind anything else: systemd kills a master from which it doesn't hear it in time.
    messages.insert(message, at: message.subject == .watchdog ? 0 : messages.count)
  }

  mutating func removeFirst() -> UpstreamMessage { messages.removeFirst() }

  /// Takes out what would be useless to a receiver that comes back much later. The latest state stays, for whenever
  /// that is.
  mutating func removePassing() -> [UpstreamMessage] {
    let passing = messages.filter { $0.subject != .state }
    messages.removeAll { $0.subject != .state }
    return passing
  }
}
