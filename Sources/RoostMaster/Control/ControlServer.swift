import CRoostLinux
import Glibc
import RoostConfiguration
import RoostControl
import RoostLog
import RoostSystemd

/// The socket by which the service is operated, and who is connected to it.
final class ControlServer {
  /// More at a time are no operators. Who waits for nothing makes room for who comes, and so does who only listens.
  private static let maximumClients = 64
  /// How many more there may be if the one who comes is root: nobody must be able to lock out who repairs things.
  private static let maximumMoreForRoot = 8
  /// How long nobody is accepted who can't be: descriptors may be there again by then.
  private static let pauseMicroseconds: UInt64 = 1_000_000

  private let configuration: ControlConfiguration
  private let lock: Descriptor
  private let descriptor: Descriptor
  private let socketFile: SocketFile?
  /// Whether the directory is to be removed in the end.
  private let madeDirectory: Bool
  private let pointer: ControlPointer?
  private let loop: EventLoop
  private let log: Log
  private var source: Source?
  private var pause: Timer?
  private var answer: (ControlClient, VarlinkCall) -> Void = { _, _ in }
  private(set) var clients: [ControlClient] = []
  /// Those that were connected before an upgrade, until the socket is served.
  private var restored: [ControlClient.Saved] = []

  /// Makes the directory, takes the lock that keeps two masters of one name apart, and opens the socket.
  init(_ configuration: ControlConfiguration, service: String, loop: EventLoop, _ log: Log) throws(MasterError) {
    self.configuration = configuration
    self.loop = loop
    self.log = log
    let directory = configuration.directory
    var isNew = false
    lock = try Self.lock(directory, &isNew, service: service)
    madeDirectory = isNew
    pointer = ControlPointer(to: directory, log)
    let path = "\(directory)/\(ControlPlace.socketName)"
    guard path.utf8.count <= 107 else {
      throw MasterError("cannot listen on \(path): a socket's path has at most 107 bytes; see --control-directory")
    }
    // Whatever is there is of a master that has gone: this one has the lock.
    unlink(path)
    let number = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard number >= 0 else { throw MasterError(cannot: "make the control socket") }
    descriptor = Descriptor(adopting: number)
    guard SocketAddress(unix: path).bind(descriptor) else {
      throw MasterError(cannot: "bind the control socket \(path)")
    }
    socketFile = SocketFile(path: path)
    // Nobody can connect before it listens.
    guard Self.allow(configuration.group, path), listen(number, 64) == 0 else {
      throw MasterError(cannot: "open the control socket \(path)")
    }
  }

  /// What an upgrade hands over. The lock belongs to the open file, so it is held throughout.
  struct Saved: Codable {
    let lock: SavedDescriptor
    let socket: SavedDescriptor
    let socketFile: SocketFile?
    let madeDirectory: Bool?
    let clients: [ControlClient.Saved]
  }

  var saved: Saved {
    Saved(
      lock: SavedDescriptor(lock), socket: SavedDescriptor(descriptor), socketFile: socketFile,
      madeDirectory: madeDirectory, clients: clients.map(\.saved))
  }

  init(restoring saved: Saved, _ configuration: ControlConfiguration, loop: EventLoop, _ log: Log) {
    self.configuration = configuration
    self.loop = loop
    self.log = log
    lock = saved.lock.adopt()
    descriptor = saved.socket.adopt()
    socketFile = saved.socketFile
    madeDirectory = saved.madeDirectory ?? false
    pointer = ControlPointer(to: configuration.directory, log)
    restored = saved.clients
  }

  deinit {
    // Before the descriptor is closed: its number may belong to another by the time the loop forgets it.
    source = nil
    pause = nil
    socketFile?.remove()
    // While it is held: whoever has opened it sees that it is gone, and makes another.
    unlink("\(configuration.directory)/\(ControlPlace.lockName)")
    if madeDirectory { rmdir(configuration.directory) }
  }

  /// Makes the directory, and the one above it. Whether it wasn't there.
  private static func make(_ directory: String) throws(MasterError) -> Bool {
    let parent = String(Substring(directory.utf8.prefix(upTo: directory.utf8.lastIndex(of: UInt8(ascii: "/"))!)))
    // The one above is shared by all services, such as /run/roost.
    var isNew = false
    for path in [parent, directory] where !path.isEmpty {
      isNew = mkdir(path, 0o755) == 0
      guard isNew || errno == EEXIST else {
        throw MasterError(
          cannot: "make \(path) for the control socket", errno, hint: "--control-directory names another place")
      }
    }
    return isNew
  }

  /// Takes the lock in the directory, which is made if it isn't there. A master that ends removes both, perhaps between
  /// any two steps of this.
  private static func lock(
    _ directory: String, _ isNew: inout Bool, service: String
  ) throws(MasterError) -> Descriptor {
    let path = "\(directory)/\(ControlPlace.lockName)"
    for _ in 0..<10 {
      if try make(directory) { isNew = true }
      let number = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      if number < 0, errno == ENOENT { continue }
      guard number >= 0 else {
        throw MasterError(cannot: "open the lock \(path)", errno, hint: "--control-directory names another place")
      }
      let descriptor = Descriptor(adopting: number)
      try lock(descriptor, path, service: service)
      if isFile(descriptor, at: path) { return descriptor }
    }
    throw MasterError("cannot lock \(path): it is removed again and again")
  }

  private static func isFile(_ descriptor: borrowing Descriptor, at path: String) -> Bool {
    var opened = stat()
    var named = stat()
    return fstat(descriptor.number, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev
      && opened.st_ino == named.st_ino
  }

  private static func lock(
    _ descriptor: borrowing Descriptor, _ path: String, service: String
  ) throws(MasterError) {
    let number = descriptor.number
    guard roost_lock(number) == 0 else {
      guard errno == EWOULDBLOCK else { throw MasterError(cannot: "lock \(path)") }
      var content = [UInt8](repeating: 0, count: 16)
      let count = max(0, pread(number, &content, content.count, 0))
      let pid = String(decoding: content[..<count].prefix { $0 != 0x0a }, as: UTF8.self)
      throw MasterError(
        "the service \(service) runs already: process \(pid) has locked \(path); --name gives this one another name")
    }
    let line = Array("\(getpid())\n".utf8)
    guard ftruncate(number, 0) == 0, pwrite(number, line, line.count, 0) == line.count else {
      throw MasterError(cannot: "write \(path)")
    }
  }

  private static func allow(_ group: gid_t?, _ path: String) -> Bool {
    guard let group else { return chmod(path, 0o600) == 0 }
    return chown(path, .max, group) == 0 && chmod(path, 0o660) == 0
  }

  /// Takes connections from now on, and calls the handler with each call.
  func serve(_ answer: @escaping (ControlClient, VarlinkCall) -> Void) throws(SystemdError) {
    self.answer = answer
    // After signals and workers: an operator can wait for these, never the other way round.
    source = try loop.onReadable(descriptor.number, priority: .late) { [unowned self] in accept() }
    pause = try loop.timer(priority: .late) { [unowned self] in
      pause?.wentOff()
      source?.setEnabled(true)
    }
    for client in restored { watch(ControlClient(restoring: client)) }
    restored = []
  }

  private func accept() {
    let number = roost_accept(descriptor.number)
    guard number >= 0 else { return acceptFailed(errno) }
    let client = ControlClient(adopting: Descriptor(adopting: number), isAllowed: isAllowed(number))
    guard makeRoom(for: client) else { return client.turnAway() }
    watch(client)
  }

  private func makeRoom(for client: ControlClient) -> Bool {
    let places = Self.maximumClients + (client.uid == 0 ? Self.maximumMoreForRoot : 0)
    if clients.count < places { return true }
    // Without this, clients that only stay connected would lock operators out.
    guard let other = clients.first(where: \.isIdle) ?? clients.first(where: \.isUpToDateSubscriber) else {
      return false
    }
    other.turnAway()
    return true
  }

  /// Whoever knocks goes on knocking: without a pause the loop would do nothing else.
  private func acceptFailed(_ error: Int32) {
    if error == EAGAIN || error == EINTR || error == ECONNABORTED { return }
    log.warning("cannot accept a client of the control socket for now: \(String(cString: strerror(error)))")
    source?.setEnabled(false)
    pause?.set(Clock.now().microseconds + Self.pauseMicroseconds)
  }

  private func watch(_ client: ControlClient) {
    do {
      try client.watch(
        in: loop, call: { [unowned self] in answer($0, $1) },
        gone: { [unowned self] client in
          clients.removeAll { $0 === client }
        })
      clients.append(client)
    } catch {
      log.warning("a client of the control socket cannot be heard: \(error)")
    }
  }

  /// Root, the master's own user, and the group that was allowed.
  private func isAllowed(_ number: Int32) -> (pid: pid_t, uid: uid_t, isAllowed: Bool) {
    var pid: pid_t = 0
    var uid: uid_t = 0
    var gid: gid_t = 0
    guard roost_peer(number, &pid, &uid, &gid) == 0 else { return (0, .max, false) }
    let isMember = configuration.group.map { $0 == gid || roost_peer_is_in(number, $0) } ?? false
    return (pid, uid, uid == 0 || uid == geteuid() || isMember)
  }

  /// The last worker is gone: whoever waits for that has an answer.
  func answerStops() {
    for client in clients {
      switch client.task {
      case .stop: client.reply(VarlinkReply(parameters: ["event": .null]))
      case .drain(_, let verdict): client.reply(VarlinkReply(parameters: ["event": .null, "verdict": verdict]))
      case .reload: client.reply(VarlinkReply(error: ControlInterface.serviceStops))
      case .upgrade: client.reply(VarlinkReply(error: ControlInterface.serviceStops))
      case .subscription: client.reply(VarlinkReply(parameters: ["event": .null]))
      case .none: break
      }
    }
  }
}
