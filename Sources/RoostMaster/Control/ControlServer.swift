import CRoostMaster
import Glibc
import RoostConfiguration
import RoostControl
import RoostCore
import RoostLog
import RoostSystemd

/// The socket by which the service is operated, and its clients.
final class ControlServer {
  /// More than these aren't operators.
  private static let places = Places(idle: 64, waiting: 64, share: 16)

  private let configuration: ControlConfiguration
  private let lock: ControlLock
  private var socket: BoundSocket
  private let pointer: ControlPointer?
  private let loop: EventLoop
  private let log: Log
  private let acceptor: Acceptor<ControlClient>
  private var answer: (ControlClient, VarlinkCall) -> Void = { _, _ in }
  /// Those that were connected before an upgrade, until the socket is served.
  private var restored: [ControlClient.Saved] = []

  /// Makes the directory, takes the lock that keeps two masters of one name apart, and opens the socket.
  init(_ configuration: ControlConfiguration, service: String, loop: EventLoop, _ log: Log) throws(MasterError) {
    self.configuration = configuration
    self.loop = loop
    self.log = log
    acceptor = Acceptor("a client of the control socket", places: Self.places, loop: loop, log)
    lock = try ControlLock(in: configuration.directory, service: service)
    pointer = ControlPointer(to: configuration.directory, log)
    do {
      socket = try Self.open(configuration, tries: 20)
    } catch {
      lock.remove()
      throw error
    }
  }

  struct Saved: Codable {
    let lock: SavedDescriptor
    let socket: SavedDescriptor
    let socketFile: SocketFile?
    let madeDirectory: Bool?
    let clients: [ControlClient.Saved]
  }

  var saved: Saved {
    Saved(
      lock: lock.saved, socket: SavedDescriptor(socket.descriptor), socketFile: socket.file,
      madeDirectory: lock.madeDirectory, clients: clients.map(\.saved))
  }

  init(restoring saved: Saved, _ configuration: ControlConfiguration, service: String, loop: EventLoop, _ log: Log) {
    self.configuration = configuration
    self.loop = loop
    self.log = log
    acceptor = Acceptor("a client of the control socket", places: Self.places, loop: loop, log)
    lock = ControlLock(
      restoring: saved.lock, in: configuration.directory, service: service,
      madeDirectory: saved.madeDirectory ?? false)
    socket = BoundSocket(restoring: saved.socket, saved.socketFile)
    pointer = ControlPointer(to: configuration.directory, isRestored: true, log)
    restored = saved.clients
  }

  deinit {
    acceptor.stop()  // before the descriptor is closed (`Source`)
    // While the lock is held: without it another master may begin.
    socket.file?.remove()
    lock.remove()
  }

  /// Recreates what was removed, for example by a cleaner of temporary files: without the lock a second master could
  /// start, and without the socket's file no client can connect. Connected clients stay. Returns what had to be made,
  /// and why.
  func renew() throws(MasterError) -> [String] {
    var made: [String] = []
    if try lock.renew() { made.append("the lock of the control socket: its file was gone") }
    pointer?.renew()
    guard let obstacle = socket.obstacle else { return made }
    let other = try Self.open(configuration, tries: 1)
    try acceptor.move(from: socket.descriptor, to: other.descriptor)
    socket = other
    return made + ["the control socket: \(obstacle)"]
  }

  private static func path(in directory: String) -> String { "\(directory)/\(ControlPlace.socketName)" }

  /// Opens the socket. What a dead master has left there gives way, because this one has the lock. A living master has
  /// lost the lock's file.
  private static func open(_ configuration: ControlConfiguration, tries: Int) throws(MasterError) -> BoundSocket {
    let path = path(in: configuration.directory)
    let access = FileAccess(mode: configuration.group == nil ? 0o600 : 0o660, group: configuration.group)
    for attempt in 1...tries {
      do {
        return try BoundSocket(at: path, access)
      } catch .failed(EADDRINUSE) {
        // A process that was killed closes its descriptors one after the other.
        if attempt < tries { usleep(10_000) }
      } catch {
        throw MasterError(cannot: "open the control socket \(path)", error, hint: "see --control-directory")
      }
    }
    let process = SocketFile.listener(at: path).map { "process \($0)" } ?? "another process"
    throw MasterError(
      "cannot open the control socket \(path): \(process) listens there, although it doesn't hold the lock beside it;"
        + " if it is a master whose lock was removed, reloading it recreates the lock")
  }

  /// Takes connections from now on, and calls the handler with each call.
  func serve(_ answer: @escaping (ControlClient, VarlinkCall) -> Void) throws(SystemdError) {
    self.answer = answer
    // After signals and workers: an operator can wait for these, never the other way round.
    try acceptor.serve(socket.descriptor, priority: .late) { [unowned self] connection in
      let peer = peer(connection.number)
      add(ControlClient(adopting: connection, isAllowed: peer))
    }
    for client in restored { add(ControlClient(restoring: client)) }
    restored = []
  }

  var clients: [ControlClient] { acceptor.clients }

  private func add(_ client: ControlClient) {
    acceptor.add(client) { client throws(SystemdError) in
      try client.watch(
        in: loop, call: { [unowned self] in answer($0, $1) }, gone: { [unowned self] in acceptor.remove($0) })
    }
  }

  /// Whether a client may wait for something. If it may not, it is told so and let go.
  func admit(_ client: ControlClient, toWaitFor wait: Places.Wait) -> Bool {
    // Without an answer there is nothing to wait for.
    if client.isOneway { return true }
    var place = client.place
    place.wait = wait
    return acceptor.admit(client, toWait: place)
  }

  /// Allowed are root, the master's own user, and the configured group.
  private func peer(_ number: Int32) -> (pid: pid_t, uid: uid_t, isAllowed: Bool) {
    var pid: pid_t = 0
    var uid: uid_t = 0
    var gid: gid_t = 0
    guard roost_peer(number, &pid, &uid, &gid) == 0 else { return (0, .max, false) }
    let isMember = configuration.group.map { $0 == gid || roost_peer_is_in(number, $0) } ?? false
    return (pid, uid, uid == 0 || uid == geteuid() || isMember)
  }
}
