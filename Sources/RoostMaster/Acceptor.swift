import CRoostMaster
import Glibc
import RoostCore
import RoostLog
import RoostSystemd

/// A client that is connected to one of the master's sockets.
protocol AcceptedClient: AnyObject {
  /// What decides whether it makes room for another.
  var place: Places.Client { get }

  /// Lets it go, for want of room.
  func turnAway()
}

/// Takes connections, and knows which clients are connected. A new client gets in as long as one that waits for nothing
/// is connected; if the kernel can't give a connection, none is taken for a while.
final class Acceptor<Client: AcceptedClient> {
  /// How long to take no connections if that isn't possible: descriptors may be free again by then.
  private static var pause: Duration { .seconds(1) }
  /// How many are taken at once from a socket that is about to be closed.
  private static var maximumWaiting: Int { 256 }
  /// A shortage is logged at most this often: clients that try to connect mustn't fill the log.
  private static var quiet: Duration { .seconds(60) }

  /// In the order in which they have come.
  private(set) var clients: [Client] = []
  private let name: String
  private let places: Places
  private let loop: EventLoop
  private let log: Log
  private var source: BoundedSource?
  private var priority = EventLoop.Priority.normal
  private var handler: (consuming Descriptor) -> Void = { _ in }
  private var pauseEnd: Timer?
  /// Given up for a connection when there is no other descriptor left: an operator has to get in then, of all times.
  private var spare: SharedSocket?
  private var lastFailure: Instant?
  private var lastTold: Instant?
  /// Whether a shortage was logged, and its end wasn't yet.
  private var isShort = false

  /// An acceptor with these places. The name is what messages call a client.
  init(_ name: String, places: Places, loop: EventLoop, _ log: Log) {
    self.name = name
    self.places = places
    self.loop = loop
    self.log = log
  }

  /// Takes connections from a listening socket that doesn't block, and calls the handler with each.
  func serve(
    _ descriptor: borrowing Descriptor, priority: EventLoop.Priority,
    _ handler: @escaping (consuming Descriptor) -> Void
  ) throws(SystemdError) {
    self.priority = priority
    self.handler = handler
    keepSpare()
    try watch(descriptor)
    pauseEnd = try loop.timer(priority: priority) { [unowned self] in source?.setEnabled(true) }
  }

  private func watch(_ descriptor: borrowing Descriptor) throws(SystemdError) {
    let number = descriptor.number
    source = try BoundedSource(readable: number, in: loop, priority: priority) { [unowned self] in accept(number) }
  }

  /// Takes connections from another socket from now on, and before that those that wait at the former one, which is
  /// about to be closed.
  func move(from former: borrowing Descriptor, to other: borrowing Descriptor) throws(MasterError) {
    do {
      try watch(other)
    } catch {
      throw MasterError("\(error)")
    }
    for _ in 0..<Self.maximumWaiting {
      let connection = roost_accept(former.number)
      if connection < 0 { break }
      handler(Descriptor(adopting: connection))
    }
  }

  private func keepSpare() {
    guard spare == nil else { return }
    let number = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if number >= 0 { spare = SharedSocket(adopting: Descriptor(adopting: number)) }
  }

  /// Lets all clients go.
  func removeAll() {
    clients = []
    keepSpare()
  }

  /// Takes no more connections. To be called before the socket is closed: its number may belong to another by the time the
  /// loop forgets it.
  func stop() {
    source = nil
    pauseEnd = nil
  }

  /// One a turn: connected clients have a turn before the next one comes.
  private func accept(_ number: Int32) {
    let connection = roost_accept(number)
    guard connection >= 0 else { return failed(errno) }
    succeeded()
    handler(Descriptor(adopting: connection))
  }

  /// Gives a client a place, if it can be watched.
  func add(_ client: Client, watch: (Client) throws(SystemdError) -> Void) {
    if places.isFull(clients.map(\.place)) { displaceIdlest() }
    do {
      try watch(client)
      clients.append(client)
    } catch {
      tellFailure("\(error)")
    }
  }

  func remove(_ client: Client) {
    clients.removeAll { $0 === client }
    keepSpare()
  }

  /// Whether a client may wait for something. If not, it is turned away, and so is one that has to make room for it.
  func admit(_ client: Client, toWait place: Places.Client) -> Bool {
    let others = clients.filter { $0 !== client }
    switch places.admission(place, beside: others.map(\.place)) {
    case .free: return true
    case .inPlaceOf(let index):
      displace(others[index])
      return true
    case .refused:
      displace(client)
      return false
    }
  }

  /// Whether there was a client that waits for nothing.
  @discardableResult
  private func displaceIdlest() -> Bool {
    guard let index = places.idlest(clients.map(\.place)) else { return false }
    displace(clients[index])
    return true
  }

  private func displace(_ client: Client) {
    remove(client)
    client.turnAway()
  }

  // MARK: Shortage

  private func failed(_ error: Int32) {
    switch error {
    // The client is gone, or the error belongs to that connection, whose pending errors Linux passes on (accept(2)).
    case EAGAIN, EINTR, ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP,
      ENETUNREACH, EPERM:
      return
    default: break
    }
    tellFailure(errorText(error))
    // The next turn gets its descriptor.
    if error == EMFILE, displaceIdlest() { return }
    if error == EMFILE, spare != nil {
      spare = nil
      return
    }
    // Clients keep trying to connect: without a pause the loop would do nothing else.
    source?.setEnabled(false)
    pauseEnd?.set((Clock.now() + Self.pause).microseconds)
  }

  private func tellFailure(_ reason: String) {
    let now = Clock.now()
    lastFailure = now
    if let lastTold, now - lastTold < Self.quiet { return }
    lastTold = now
    isShort = true
    log.warning("cannot accept \(name) for now: \(reason)")
  }

  private func succeeded() {
    guard isShort, let lastFailure, Clock.now() - lastFailure >= Self.pause else { return }
    isShort = false
    log.info("can accept \(name) again")
  }
}
