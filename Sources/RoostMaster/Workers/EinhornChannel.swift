import CRoostMaster
import Glibc
import RoostContract
import RoostCore
import RoostLog
import RoostSystemd

/// A stream of messages of an einhorn client, a line each.
final class EinhornStream {
  let descriptor: Descriptor
  private var source: BoundedSource?
  private var line: [UInt8] = []
  /// Whether more may come.
  private var isOpen = true

  init(adopting descriptor: consuming Descriptor) {
    self.descriptor = descriptor
  }

  struct Saved: Codable {
    let socket: SavedDescriptor
    let line: SavedBytes
    let isOpen: Bool
  }

  var saved: Saved {
    Saved(socket: SavedDescriptor(descriptor), line: SavedBytes(line), isOpen: source != nil)
  }

  convenience init(restoring saved: Saved) {
    self.init(adopting: saved.socket.adopt())
    line = saved.line.bytes
    isOpen = saved.isOpen
  }

  deinit {
    source = nil  // before the descriptor is closed (`Source`)
    descriptor.shutDown()
  }

  /// Nothing more is taken.
  func stop() { source = nil }

  func watch(in loop: EventLoop, _ receive: @escaping () -> Void) throws(SystemdError) {
    guard isOpen else { return }
    source = try BoundedSource(readable: descriptor.number, in: loop, priority: .first, receive)
  }

  /// Takes what has come, as much as one turn allows. Returns the pids of acknowledgements, and whether more may come.
  func receive() -> (acknowledged: [pid_t], isOpen: Bool) {
    var acknowledged: [pid_t] = []
    var buffer = [UInt8](repeating: 0, count: EinhornMessage.maximumLength)
    let count = Stream.receive(descriptor.number, into: &buffer)
    source?.hasMore = count == buffer.count
    if count < 0, errno == EAGAIN || errno == EINTR { return ([], true) }
    for byte in buffer[..<max(0, count)] {
      if byte != UInt8(ascii: "\n") {
        line.append(byte)
      } else {
        if case .acknowledgement(let pid) = EinhornMessage(parsing: line[...]), !acknowledged.contains(pid) {
          acknowledged.append(pid)
        }
        line = []
      }
    }
    let isOpen = count > 0 && line.count <= EinhornMessage.maximumLength
    if !isOpen { source = nil }
    return (acknowledged, isOpen)
  }
}

/// The worker's end of such a stream, for `EINHORN_SOCK_FD`.
final class EinhornChannel {
  let stream: EinhornStream
  private var workerEnd: Descriptor?

  init() throws(MasterError) {
    var ends: [Int32] = [0, 0]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw MasterError(cannot: "make a socket for an acknowledgement")
    }
    roost_keep_in_line(ends[0])
    stream = EinhornStream(adopting: Descriptor(adopting: ends[0]))
    workerEnd = Descriptor(adopting: ends[1])
  }

  init(restoring saved: EinhornStream.Saved) {
    stream = EinhornStream(restoring: saved)
  }

  /// The end for the worker, while the master has it.
  var workerNumber: Int32? { workerEnd?.number }

  /// Closes the master's copy of the worker's end.
  func closeWorkerEnd() {
    workerEnd = nil
  }

  /// Whether its worker has acknowledged. The pid in it doesn't matter: only the worker and its children have the
  /// socket.
  func receive() -> Bool { !stream.receive().acknowledged.isEmpty }
}

/// A client of the socket file for `EINHORN_SOCK_PATH`.
final class EinhornClient: AcceptedClient {
  fileprivate let stream: EinhornStream
  fileprivate let user: uid_t
  private var lastActive = Clock.now()

  fileprivate init(_ stream: EinhornStream, of user: uid_t) {
    self.stream = stream
    self.user = user
  }

  var place: Places.Client { Places.Client(user: user, wait: .nothing, lastActive: lastActive) }

  func turnAway() { stream.stop() }

  fileprivate func receive() -> (acknowledged: [pid_t], isOpen: Bool) {
    lastActive = Clock.now()
    return stream.receive()
  }
}

/// The socket file for `EINHORN_SOCK_PATH`, which takes any worker's acknowledgement.
final class EinhornSocket {
  /// More than these at a time aren't workers: each sends one line and goes.
  private static let places = Places(idle: 64)

  let path: String
  private var socket: BoundSocket
  private let loop: EventLoop
  private let acknowledged: (pid_t, uid_t) -> Void
  private let acceptor: Acceptor<EinhornClient>

  /// Opens the socket in the directory of the control socket, whose lock the master has.
  init(
    in directory: String, loop: EventLoop, _ log: Log, _ acknowledged: @escaping (pid_t, uid_t) -> Void
  ) throws(MasterError) {
    path = "\(directory)/einhorn.sock"
    self.loop = loop
    self.acknowledged = acknowledged
    acceptor = Self.acceptor(loop, log)
    socket = try Self.open(path)
    try serve()
  }

  private static func open(_ path: String) throws(MasterError) -> BoundSocket {
    do {
      // Workers may run as any user; the sender is checked.
      return try BoundSocket(at: path, FileAccess(mode: 0o666))
    } catch {
      throw MasterError(cannot: "open the socket for acknowledgements \(path)", error)
    }
  }

  /// Recreates it if its file is gone. Returns why it had to.
  func renew() throws(MasterError) -> String? {
    guard let obstacle = socket.obstacle else { return nil }
    let other = try Self.open(path)
    try acceptor.move(from: socket.descriptor, to: other.descriptor)
    socket = other
    return obstacle
  }

  struct Saved: Codable {
    let path: String
    let socket: SavedDescriptor
    let socketFile: SocketFile?
    let clients: [Client]
  }

  /// A client that may still send an acknowledgement.
  struct Client: Codable {
    let stream: EinhornStream.Saved
    let user: uid_t
  }

  var saved: Saved {
    Saved(
      path: path, socket: SavedDescriptor(socket.descriptor), socketFile: socket.file,
      clients: acceptor.clients.map { Client(stream: $0.stream.saved, user: $0.user) })
  }

  init(
    restoring saved: Saved, loop: EventLoop, _ log: Log, _ acknowledged: @escaping (pid_t, uid_t) -> Void
  ) throws(MasterError) {
    path = saved.path
    self.loop = loop
    self.acknowledged = acknowledged
    acceptor = Self.acceptor(loop, log)
    socket = BoundSocket(restoring: saved.socket, saved.socketFile)
    // Up to format 3 it blocked.
    _ = fcntl(socket.descriptor.number, F_SETFL, O_NONBLOCK)
    try serve()
    for client in saved.clients { add(EinhornClient(EinhornStream(restoring: client.stream), of: client.user)) }
  }

  private static func acceptor(_ loop: EventLoop, _ log: Log) -> Acceptor<EinhornClient> {
    Acceptor("a client of einhorn's", places: places, loop: loop, log)
  }

  private func serve() throws(MasterError) {
    do {
      try acceptor.serve(socket.descriptor, priority: .early) { [unowned self] in add($0) }
    } catch {
      throw MasterError("\(error)")
    }
  }

  // Before the descriptor is closed (`Source`).
  deinit { acceptor.stop() }

  private func add(_ connection: consuming Descriptor) {
    var pid: pid_t = 0
    var uid: uid_t = 0
    var gid: gid_t = 0
    guard roost_peer(connection.number, &pid, &uid, &gid) == 0 else { return connection.shutDown() }
    add(EinhornClient(EinhornStream(adopting: connection), of: uid))
  }

  private func add(_ client: EinhornClient) {
    acceptor.add(client) { client throws(SystemdError) in
      try client.stream.watch(in: loop) { [unowned self, unowned client] in
        let (pids, isOpen) = client.receive()
        for pid in pids { acknowledged(pid, client.user) }
        if !isOpen { acceptor.remove(client) }
      }
    }
  }
}
