import CRoostMaster
import Glibc
import RoostContract
import RoostCore
import RoostSystemd

/// One worker's end for sd_notify(3) messages. Each worker has its own, so that no pid is needed to tell whose message
/// it is: a short-lived helper such as systemd-notify(1) may be gone when it is read.
final class NotifySocket {
  /// How many messages are handled before others get their turn. The rest is not lost: the loop comes back.
  private static let turn = 64
  /// How many messages of an exited worker are read: what it left behind may keep sending.
  private static let lastTurn = 1024

  /// After this time it checks again whether descriptors can be received and closed.
  private static var pause: Duration { .seconds(1) }
  /// Waiting messages are logged at most this often.
  private static var quiet: Duration { .seconds(60) }

  /// The value for `NOTIFY_SOCKET`.
  let address: String
  private let descriptor: Descriptor
  private var source: BoundedSource?
  private var loop: EventLoop?
  /// Made when it is needed.
  private var pauseEnd: Timer?
  private var isCutOff = false
  private var lastTold: Instant?
  /// Stands for its sender. The next socket has another.
  private let sender = NotifySocket.nextSender()

  /// A socket with an address that can't be guessed: an abstract one has no permissions.
  init(service: String, worker: Int) throws(MasterError) {
    var generator = SystemRandomNumberGenerator()
    let name = "roost/\(service)/\(String(generator.next(), radix: 16))/\(worker)"
    guard let socket = Descriptor.socket(AF_UNIX, SOCK_DGRAM) else { throw MasterError(cannot: "make a notify socket") }
    descriptor = socket
    address = "@" + name
    guard descriptor.set(SOL_SOCKET, SO_PASSCRED, 1), SocketAddress(abstract: name).bind(descriptor) else {
      throw MasterError(cannot: "make a notify socket")
    }
  }

  struct Saved: Codable {
    let address: String
    let socket: SavedDescriptor
  }

  var saved: Saved { Saved(address: address, socket: SavedDescriptor(descriptor)) }

  init(restoring saved: Saved) {
    address = saved.address
    descriptor = saved.socket.adopt()
  }

  deinit {
    source = nil  // before the descriptor is closed (`Source`)
    descriptor.shutDown()
  }

  /// Calls the handler with each message that an acceptable sender has sent.
  func watch(in loop: EventLoop, _ receive: @escaping () -> Void) throws(SystemdError) {
    source = try BoundedSource(readable: descriptor.number, in: loop, priority: .first, receive)
    self.loop = loop
  }

  /// Why messages aren't read.
  enum Trouble {
    case cutOff
    case paused

    var words: String {
      switch self {
      case .cutOff: "has passed descriptors that can't be closed: its messages are no longer read"
      case .paused:
        "was sent descriptors that the master has no room for, or can't close: its messages wait until it can"
      }
    }
  }

  /// Receives what was sent, as much as one turn allows. `last` if the worker has exited. Returns what there is to
  /// report, once.
  @discardableResult
  func receive(last: Bool, isAcceptable: (uid_t) -> Bool, _ handle: (NotifyMessage) -> Void) -> Trouble? {
    guard !isCutOff else { return nil }
    var buffer = [UInt8](repeating: 0, count: NotifyMessage.maximumLength)
    var datagram = roost_datagram()
    for _ in 0..<(last ? Self.lastTurn : Self.turn) {
      guard
        roost_receive(descriptor.number, &buffer, buffer.count, !PassedDescriptors.areUnclosed, &datagram) == 0
      else {
        guard errno == EBUSY else {
          source?.hasMore = false
          return nil
        }
        return rest() ? told() : cutOff()
      }
      let isHeard = datagram.has_credentials && isAcceptable(datagram.uid)
      // Always: the sender of BARRIER=1 waits for exactly this, and earlier messages were handled by now. First,
      // because the message may make the master start a process.
      PassedDescriptors.close(&datagram, from: isHeard ? sender : PassedDescriptors.stranger)
      if PassedDescriptors.closeUnclosed() { _ = tryLater() }
      if isHeard, !datagram.truncated, let message = try? NotifyMessage(parsing: buffer[..<datagram.length]) {
        handle(message)
      }
      if datagram.descriptor_count > 0, PassedDescriptors.areTooMany(from: sender) {
        return cutOff()
      }
    }
    source?.hasMore = true
    return nil
  }

  private func cutOff() -> Trouble {
    isCutOff = true
    source = nil
    return .cutOff
  }

  /// The message that can't be received would keep the socket readable all the time.
  private func rest() -> Bool {
    guard tryLater() else { return false }
    source?.setEnabled(false)
    return true
  }

  private func told() -> Trouble? {
    let now = Clock.now()
    if let lastTold, now - lastTold < Self.quiet { return nil }
    lastTold = now
    return .paused
  }

  private func tryLater() -> Bool {
    if pauseEnd == nil { pauseEnd = try? loop?.timer(priority: .late) { [weak self] in self?.tryAgain() } }
    pauseEnd?.set((Clock.now() + Self.pause).microseconds)
    return pauseEnd != nil
  }

  private func tryAgain() {
    if PassedDescriptors.closeUnclosed() { _ = tryLater() }
    source?.setEnabled(true)
  }

  // The loop has one thread.
  private nonisolated(unsafe) static var senders: UInt64 = 1 << 32

  private static func nextSender() -> UInt64 {
    senders += 1
    return senders
  }
}
