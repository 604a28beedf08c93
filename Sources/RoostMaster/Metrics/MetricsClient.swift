import Glibc
import RoostCore
import RoostMetrics
import RoostSystemd

/// The connection of a metrics client: one request, one answer, and an end by its deadline whatever it does.
final class MetricsClient {
  private enum Stage {
    /// The request isn't complete.
    case reading(ScrapeReader)
    /// The answer's head or body is sent up to there.
    case writing(head: [UInt8], body: [UInt8], sent: Int)
    /// The answer is sent, and this much more is read and thrown away: if a connection with unread data is closed, the
    /// kernel resets it, and the answer might be lost.
    case ending(left: Int)
  }

  /// A client that keeps sending after that doesn't want an answer.
  private static let maximumIgnored = 1 << 20

  let deadline: Instant
  private let descriptor: Descriptor
  /// When it last sent or took anything.
  private var lastActive = Clock.now()
  private var stage = Stage.reading(ScrapeReader())
  private var source: Source?
  private var text: (Exposition.Format) -> [UInt8] = { _ in [] }
  private var gone: (MetricsClient) -> Void = { _ in }

  init(adopting descriptor: consuming Descriptor, deadline: Instant) {
    self.descriptor = descriptor
    self.deadline = deadline
  }

  deinit {
    source = nil  // before the descriptor is closed (`Source`)
    descriptor.shutDown()
  }

  func watch(
    in loop: EventLoop, text: @escaping (Exposition.Format) -> [UInt8], gone: @escaping (MetricsClient) -> Void
  ) throws(SystemdError) {
    self.text = text
    self.gone = gone
    // Everything else that the master has to do comes first.
    source = try loop.onReadable(descriptor.number, priority: .last) { [unowned self] in act() }
  }

  private func act() {
    let goesOn =
      switch stage {
      case .reading(let reader): read(reader)
      case .writing(let head, let body, let sent): write(head, body, from: sent)
      case .ending(let left): ignore(left)
      }
    guard !goesOn else { return }
    source = nil
    gone(self)
  }

  /// Takes what has come. Returns whether there is anything to wait for.
  private func read(_ reader: ScrapeReader) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = Stream.receive(descriptor.number, into: &buffer)
    if count < 0 { return errno == EAGAIN || errno == EINTR }
    lastActive = Clock.now()
    var reader = reader
    switch reader.read(buffer[..<count]) {
    case .incomplete:
      stage = .reading(reader)
      return count > 0
    case .malformed: return answer(.badRequest, withBody: true)
    case .tooLarge: return answer(.tooLarge, withBody: true)
    case .complete(let request): return answer(ScrapeReply(to: request), withBody: request.method != "HEAD")
    }
  }

  private func answer(_ reply: ScrapeReply, withBody: Bool) -> Bool {
    let body: [UInt8]
    switch reply {
    case .text(let format): body = text(format)
    case .badRequest, .notFound, .methodNotAllowed, .tooLarge: body = Array(reply.explanation.utf8)
    }
    return write(Array(reply.head(length: body.count).utf8), withBody ? body : [], from: 0)
  }

  /// Writes what can be written without waiting. Returns whether there is anything to wait for.
  private func write(_ head: [UInt8], _ body: [UInt8], from start: Int) -> Bool {
    var sent = start
    while sent < head.count + body.count {
      // The body isn't copied: all clients of the same second share one.
      let (part, offset) = sent < head.count ? (head, sent) : (body, sent - head.count)
      let number = descriptor.number
      let count = part.withUnsafeBytes { part in
        send(number, part.baseAddress! + offset, part.count - offset, Int32(MSG_NOSIGNAL))
      }
      if count < 0 {
        guard errno == EAGAIN || errno == EINTR else { return false }
        stage = .writing(head: head, body: body, sent: sent)
        source?.setInterest(.writable)
        return true
      }
      sent += count
      lastActive = Clock.now()
    }
    shutdown(descriptor.number, Int32(SHUT_WR))
    stage = .ending(left: Self.maximumIgnored)
    source?.setInterest(.readable)
    return true
  }

  private func ignore(_ left: Int) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 16384)
    let count = Stream.receive(descriptor.number, into: &buffer)
    if count < 0 { return errno == EAGAIN || errno == EINTR }
    stage = .ending(left: left - count)
    return count > 0 && left > count
  }
}

extension MetricsClient: AcceptedClient {
  /// No user is known: over TCP the kernel doesn't reveal it.
  var place: Places.Client { Places.Client(user: nil, wait: .nothing, lastActive: lastActive) }

  func turnAway() { source = nil }
}
