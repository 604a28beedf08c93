import CRoostLinux
import Glibc
import RoostHandoff
import RoostSystemd

/// A stream on which somebody sends messages of einhorn clients, a line each.
final class EinhornStream {
  let descriptor: Descriptor
  private var source: Source?
  private var line: [UInt8] = []
  /// Whether more may come.
  private var isOpen = true

  init(adopting descriptor: consuming Descriptor) {
    self.descriptor = descriptor
  }

  /// What an upgrade hands over.
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
    // Before the descriptor is closed: its number may belong to another by the time the loop forgets it.
    source = nil
  }

  func watch(in loop: EventLoop, _ receive: @escaping () -> Void) throws(SystemdError) {
    if isOpen { source = try loop.onReadable(descriptor.number, priority: .first, receive) }
  }

  /// Takes what has come. Returns the pids of acknowledgements, and whether more may come.
  func receive() -> (acknowledged: [pid_t], isOpen: Bool) {
    var acknowledged: [pid_t] = []
    var buffer = [UInt8](repeating: 0, count: EinhornMessage.maximumLength)
    let count = recv(descriptor.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    if count < 0, errno == EAGAIN || errno == EINTR { return ([], true) }
    for byte in buffer[..<max(0, count)] {
      if byte != UInt8(ascii: "\n") {
        line.append(byte)
      } else {
        if case .acknowledgement(let pid) = EinhornMessage(parsing: line[...]) { acknowledged.append(pid) }
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

  /// Whether its worker has acknowledged. Whose pid it tells doesn't matter: only the worker and its children have it.
  func receive() -> Bool { !stream.receive().acknowledged.isEmpty }
}

/// The socket file for `EINHORN_SOCK_PATH`, where any worker's acknowledgement is taken.
final class EinhornSocket {
  /// More at a time are no workers: each sends one line and goes.
  private static let maximumClients = 64

  let path: String
  private let descriptor: Descriptor
  private let socketFile: SocketFile?
  private let loop: EventLoop
  private var source: Source?
  private var clients: [(stream: EinhornStream, user: uid_t)] = []

  /// Opens the socket in the directory of the control socket, whose lock the master has.
  init(in directory: String, loop: EventLoop, _ acknowledged: @escaping (pid_t, uid_t) -> Void) throws(MasterError) {
    path = "\(directory)/einhorn.sock"
    self.loop = loop
    let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else { throw MasterError(cannot: "make a socket for acknowledgements") }
    descriptor = Descriptor(adopting: number)
    unlink(path)
    guard path.utf8.count <= 107, SocketAddress(unix: path).bind(descriptor) else {
      throw MasterError(cannot: "bind the socket for acknowledgements \(path)")
    }
    socketFile = SocketFile(path: path)
    // Workers may be of any user; who sends something is checked.
    guard chmod(path, 0o666) == 0, listen(number, 64) == 0 else {
      throw MasterError(cannot: "open the socket for acknowledgements \(path)")
    }
    try watch(acknowledged)
  }

  /// What an upgrade hands over.
  struct Saved: Codable {
    let path: String
    let socket: SavedDescriptor
    let socketFile: SocketFile?
    let clients: [Client]
  }

  /// Somebody who may yet send an acknowledgement.
  struct Client: Codable {
    let stream: EinhornStream.Saved
    let user: uid_t
  }

  var saved: Saved {
    Saved(
      path: path, socket: SavedDescriptor(descriptor), socketFile: socketFile,
      clients: clients.map { Client(stream: $0.stream.saved, user: $0.user) })
  }

  init(
    restoring saved: Saved, loop: EventLoop, _ acknowledged: @escaping (pid_t, uid_t) -> Void
  ) throws(MasterError) {
    path = saved.path
    self.loop = loop
    descriptor = saved.socket.adopt()
    socketFile = saved.socketFile
    try watch(acknowledged)
    for client in saved.clients { add(EinhornStream(restoring: client.stream), of: client.user, acknowledged) }
  }

  private func watch(_ acknowledged: @escaping (pid_t, uid_t) -> Void) throws(MasterError) {
    do {
      source = try loop.onReadable(descriptor.number, priority: .early) { [unowned self] in accept(acknowledged) }
    } catch {
      throw MasterError("\(error)")
    }
  }

  deinit {
    source = nil
    socketFile?.remove()
  }

  private func accept(_ acknowledged: @escaping (pid_t, uid_t) -> Void) {
    let number = roost_accept(descriptor.number)
    guard number >= 0 else { return }
    let client = EinhornStream(adopting: Descriptor(adopting: number))
    var pid: pid_t = 0
    var uid: uid_t = 0
    var gid: gid_t = 0
    guard roost_peer(number, &pid, &uid, &gid) == 0 else { return }
    // Who says nothing makes room for who comes.
    if clients.count >= Self.maximumClients { clients.removeFirst() }
    add(client, of: uid, acknowledged)
  }

  private func add(_ client: EinhornStream, of user: uid_t, _ acknowledged: @escaping (pid_t, uid_t) -> Void) {
    let watched: Void? = try? client.watch(in: loop) { [unowned self, unowned client] in
      let (pids, isOpen) = client.receive()
      for pid in pids { acknowledged(pid, user) }
      if !isOpen { clients.removeAll { $0.stream === client } }
    }
    if watched != nil { clients.append((client, user)) }
  }
}
