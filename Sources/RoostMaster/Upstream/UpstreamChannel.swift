import Glibc
import RoostCore
import RoostLog
import RoostSystemd

/// Sends messages to the supervisor above as fast as it reads them. What it hasn't read yet waits here; the master
/// doesn't wait.
final class UpstreamChannel {
  /// When to try again if the kernel has no room at all for a message.
  private static let pause: Duration = .seconds(1)
  /// When to try again first if there is no receiver: one that restarts has its socket again in a moment.
  private static let firstPause: Duration = .milliseconds(100)
  /// How often to try again, each time after twice the pause: 13 seconds in all.
  private static let maximumRetries = 7

  private let loop: EventLoop
  private let log: Log
  private var socket: UpstreamSocket?
  private var queue = UpstreamQueue()
  /// Present while the receiver has to read first.
  private var source: Source?
  private var timer: Timer?
  /// How often it was tried again since the last successful message.
  private var retries = 0
  /// The subjects for which a failure was logged: once, and then not until something could be sent. The socket of
  /// 'systemd-notify --fork' is gone for good once it has heard of the start.
  private var told: Set<UpstreamMessage.Subject> = []
  /// Called with the name of each socket that was to be kept but didn't arrive.
  var notKept: (String) -> Void = { _ in }

  init(loop: EventLoop, _ log: Log) {
    self.loop = loop
    self.log = log
    socket = UpstreamSocket()
  }

  // Before the socket is closed (`Source`).
  deinit { source = nil }

  /// Whether there is a supervisor above.
  var isThere: Bool { socket != nil }

  /// Sends a message, now or as soon as there is room.
  func send(_ message: UpstreamMessage) {
    guard isThere else { return }
    queue.append(message)
    if source == nil, timer == nil { flush() }
  }

  /// Sends what is left. To be called when the master ends.
  func finish() {
    let reason = flush() ?? "NOTIFY_SOCKET isn't being read"
    timer = nil
    for message in queue.messages { tellLost(message, reason) }
  }

  /// Sends what can be sent now. Returns why the rest can't be, unless the receiver merely has to read first.
  @discardableResult
  private func flush() -> String? {
    while let message = queue.messages.first {
      switch socket?.send(message) ?? .sent {
      case .sent:
        told = []
        retries = 0
        _ = queue.removeFirst()
      case .full:
        wait()
        return nil
      case .failed(let error) where Self.shortages.contains(error):
        rest(Self.pause)
        return errorText(error)
      // Another attempt doesn't make it shorter.
      case .failed(EMSGSIZE):
        _ = queue.removeFirst()
        tellLost(message, errorText(EMSGSIZE))
      case .failed(let error):
        retry(errorText(error))
        return errorText(error)
      case .nowhere(let path):
        _ = queue.removeFirst()
        tellLost(message, "NOTIFY_SOCKET is \"\(path)\", expected an absolute path or '@' with an abstract name")
      }
    }
    return nil
  }

  private static let shortages = [ENOBUFS, ENOMEM, ETOOMANYREFS, EMFILE, ENFILE]

  /// There is no receiver, perhaps only for a moment: a supervisor that re-executes itself.
  private func retry(_ reason: String) {
    if retries < Self.maximumRetries {
      rest(Self.firstPause * (1 << retries))
      retries += 1
    } else {
      // The next message is tried as well, and takes the latest state along.
      for message in queue.removePassing() { tellLost(message, reason) }
      for message in queue.messages { tellLost(message, reason) }
    }
  }

  private func wait() {
    guard source == nil, let number = socket?.number else { return }
    source = try? loop.on(.writable, of: number, priority: .normal) { [unowned self] in
      source = nil
      flush()
    }
    if source == nil { rest(Self.pause) }
  }

  private func rest(_ pause: Duration) {
    guard timer == nil else { return }
    timer = try? loop.timer(priority: .normal) { [unowned self] in
      timer = nil
      flush()
    }
    timer?.set((Clock.now() + pause).microseconds)
  }

  private func tellLost(_ message: UpstreamMessage, _ reason: String) {
    switch message.subject {
    case .keep(let name):
      tell(message.subject, "systemd doesn't keep \(name) for the next master: \(reason)")
      notKept(name)
    case .drop(let name): tell(message.subject, "systemd may still keep \(name): \(reason)")
    case .watchdog, .reloading, .state, .moreTime, .status:
      tell(.state, "cannot tell systemd the state of the service: \(reason)")
    }
  }

  private func tell(_ subject: UpstreamMessage.Subject, _ text: String) {
    if told.insert(subject).inserted { log.warning(text) }
  }

  // MARK: Upgrade

  /// What an upgrade hands over of a message.
  struct Saved: Codable {
    let subject: UpstreamMessage.Subject
    let assignments: String
    let socket: SavedDescriptor?
  }

  var saved: [Saved] {
    queue.messages.map { message in
      Saved(
        subject: message.subject, assignments: message.assignments,
        socket: message.socket.map { SavedDescriptor($0.descriptor) })
    }
  }

  /// Takes over what a former binary couldn't send.
  func restore(_ saved: [Saved]) {
    for message in saved {
      let socket = message.socket.map { SharedSocket(adopting: $0.adopt()) }
      queue.append(UpstreamMessage(message.subject, message.assignments, socket: socket))
    }
  }

  /// Continues to send what was taken over.
  func resume() {
    if isThere { flush() }
  }
}
