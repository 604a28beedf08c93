import Glibc
import RoostConfiguration
import RoostJSON

/// A listening socket, or one for datagrams, that the master owns and its workers inherit. With `reuseport` it is a group
/// of sockets (Listener+Reuseport.swift).
final class Listener {
  /// How it is configured. A takeover changes what can be changed in place.
  private(set) var configuration: ListenerConfiguration
  /// The address that it actually has, as the operator would write it.
  let address: String
  let descriptor: Descriptor
  /// Whether it is a socket for datagrams: these have no accept queue.
  let isDatagram: Bool
  /// With `reuseport`: the sockets of the slots from 1 up (the first slot's is the listener's own), in the order in which they joined the group.
  var furtherSockets: [SharedSocket] = []
  /// With `reuseport`: the slots whose sockets the kernel chooses from.
  var steered: [Range<Int>] = []
  /// Its file; nil if there is none, or if it isn't this listener's to remove.
  private(set) var socketFile: SocketFile?
  /// The name under which a .socket unit has passed it: systemd opened it, and keeps listening when no other process
  /// does.
  let passedName: String?
  /// The names under which systemd keeps its sockets for the next master, from the first on; nil for a socket that it
  /// doesn't keep.
  var storedNames: [String?]
  /// Whether it no longer lets connections in, and closes with the last worker that has it.
  private(set) var isRetired = false
  /// Whether it blocked when a reload began.
  private var blockedBefore = false
  /// What is known of the connections that wait to be accepted.
  var queue = AcceptQueue()

  /// A listener of an open socket, with the file that is to be removed with it.
  init(
    _ wanted: ListenerConfiguration, adopting descriptor: consuming Descriptor, socketFile: SocketFile? = nil,
    passedName: String? = nil, storedNames: [String?] = [], further: [SharedSocket] = []
  ) {
    configuration = wanted
    isDatagram = descriptor.get(SOL_SOCKET, SO_TYPE) == Int32(SOCK_DGRAM.rawValue)
    let text = SocketAddress.local(of: descriptor)?.text ?? "?"
    address = isDatagram ? "udp:\(text)" : text
    self.descriptor = descriptor
    self.socketFile = socketFile
    self.passedName = passedName
    self.storedNames = storedNames
    furtherSockets = further
    // An adopted socket may have dropped something before, which doesn't belong to any reload.
    sampleQueue()
    queue.beginReload()
  }

  struct Saved: Codable {
    let configuration: ListenerConfiguration
    let socket: SavedDescriptor
    let socketFile: SocketFile?
    let passedName: String?
    let storedNames: [String?]
    let isRetired: Bool
    let queue: AcceptQueue
    let steered: [Range<Int>]
    /// The further sockets of a group.
    let further: [SavedDescriptor]
  }

  var saved: Saved {
    Saved(
      configuration: configuration, socket: SavedDescriptor(descriptor), socketFile: socketFile,
      passedName: passedName, storedNames: storedNames, isRetired: isRetired, queue: queue, steered: steered,
      further: furtherSockets.map { SavedDescriptor($0.descriptor) })
  }

  convenience init(restoring saved: Saved) {
    self.init(
      saved.configuration, adopting: saved.socket.adopt(),
      socketFile: saved.socketFile, passedName: saved.passedName, storedNames: saved.storedNames,
      further: saved.further.map { SharedSocket(adopting: $0.adopt()) })
    isRetired = saved.isRetired
    queue = saved.queue
    steered = saved.steered
  }

  deinit {
    // Others may still accept on what systemd keeps, or has opened.
    let isLast = isRetired || socketFile != nil
    socketFile?.remove()
    if isLast { descriptor.shutDown() }
  }

  var name: String { configuration.name }
  /// Whether systemd has copies of all its sockets, or at least was given them.
  var isStored: Bool { storedNames.count == numbers.count && storedNames.allSatisfy { $0 != nil } }
  /// Whether systemd opened it.
  var isForeign: Bool { passedName != nil }
  /// Name and address, for the log.
  var title: String { "\(name)=\(address)" }

  /// Lets the file outlive this: a process that has a copy of the socket keeps listening there.
  func leaveFile() {
    socketFile = nil
  }

  /// systemd didn't get the socket of this name after all: it may be given again.
  func forgetStored(_ name: String) {
    for index in storedNames.indices where storedNames[index] == name { storedNames[index] = nil }
  }

  /// Sets the length of the accept queue; safe at any time, also with connections in it (listen(2)).
  func restoreBacklog() {
    if isDatagram { return }
    for number in numbers { listen(number, configuration.backlog) }
  }

  /// Applies its new configuration, as far as an open socket can. Throws if its file can't have that.
  func take(_ wanted: ListenerConfiguration) throws(FileError) {
    let isSame = configuration == wanted
    configuration = wanted
    restoreBacklog()
    guard !isSame, case .unix(let path) = wanted.address else { return }
    try Self.allow(wanted, descriptor, path, socketFile)
  }

  /// Why clients can't connect, if the file of a unix socket is gone. The file of what systemd has opened may be where
  /// the master doesn't see it.
  var obstacle: String? { socketFile?.obstacle }

  /// Lets no more connections in, while those in its queue stay there to be accepted.
  func retire() {
    isRetired = true
    if let file = socketFile {
      file.remove()
      return leaveFile()
    }
    // No SYN finds a listener of a network interface that doesn't exist, so the kernel refuses new connections.
    // Handshakes that have begun are completed. A shutdown(2) or connect(2) would reset what is queued.
    for number in numbers { Self.hide(number) }
  }

  /// Makes room at an address: see `bind`.
  static func hide(_ number: Int32) {
    guard setOption(number, SOL_SOCKET, SO_BINDTOIFINDEX, .max) else { return }
    // The address may be wanted again before the last worker has let go of this.
    setOption(number, SOL_SOCKET, SO_REUSEPORT, 1)
  }

  private var blocks: Bool { fcntl(descriptor.number, F_GETFL) & O_NONBLOCK == 0 }

  /// Remembers its state, for a reload that begins.
  func beginReload() {
    blockedBefore = blocks
    queue.beginReload()
  }

  /// Whether a process has made it non-blocking since. The flag belongs to the socket, and so to all that have it.
  var hasStoppedBlocking: Bool { blockedBefore && !blocks }

  func sampleQueue() { if !isDatagram { queue.sample(numbers) } }

  /// Opens what the operator asked for, beside the listeners that are already open, and other sockets that were made to
  /// give way.
  static func open(
    _ wanted: ListenerConfiguration, beside open: [Listener], _ hidden: [Int32] = []
  ) throws(MasterError) -> Listener {
    let others = Neighbours(
      listeners: open, hidden: hidden + open.filter(\.isRetired).flatMap(\.numbers))
    return try Self.open(wanted, beside: others)
  }

  private static func open(_ wanted: ListenerConfiguration, beside others: Neighbours) throws(MasterError) -> Listener {
    switch wanted.address {
    case .tcp(let host, let port) where wanted.reuseport != nil:
      try openGroup(SOCK_STREAM, host, port: port, for: wanted, beside: others)
    case .udp(let host, let port) where wanted.reuseport != nil:
      try openGroup(SOCK_DGRAM, host, port: port, for: wanted, beside: others)
    case .tcp(let host, let port): try openAlone(SOCK_STREAM, host, port: port, for: wanted, beside: others)
    case .udp(let host, let port): try openAlone(SOCK_DGRAM, host, port: port, for: wanted, beside: others)
    case .unix(let path): try openUnix(path, for: wanted)
    case .systemd: preconditionFailure("a socket that systemd passes isn't opened")
    }
  }

  private static func openAlone(
    _ type: __socket_type, _ host: Address.Host, port: UInt16, for wanted: ListenerConfiguration,
    beside others: Neighbours
  ) throws(MasterError) -> Listener {
    let descriptor = try bound(type, host, port: port, for: wanted, beside: others)
    guard type == SOCK_DGRAM || listen(descriptor.number, wanted.backlog) == 0 else {
      throw error(wanted, beside: others)
    }
    descriptor.set(SOL_SOCKET, SO_REUSEPORT, 0)
    return Listener(wanted, adopting: descriptor)
  }

  /// A socket that has its address but doesn't listen yet; `isShared` if others may have the same.
  static func bound(
    _ type: __socket_type, _ host: Address.Host, port: UInt16, for wanted: ListenerConfiguration,
    beside others: Neighbours, isShared: Bool = false
  ) throws(MasterError) -> Descriptor {
    let address = SocketAddress(host, port: port)
    guard let descriptor = Descriptor.socket(address.family, type, isNonblocking: wanted.isNonblocking) else {
      guard errno == EAFNOSUPPORT, host == .any else { throw error(wanted) }
      // A kernel without IPv6: "all addresses" are those of IPv4.
      return try bound(type, .ipv4("0.0.0.0"), port: port, for: wanted, beside: others, isShared: isShared)
    }
    // With this, connections of a former run in TIME_WAIT aren't in the way (socket(7)). Datagram sockets have no such
    // state, and with the option two of them could share an address without knowing.
    if type == SOCK_STREAM { descriptor.set(SOL_SOCKET, SO_REUSEADDR, 1) }
    if isShared { descriptor.set(SOL_SOCKET, SO_REUSEPORT, 1) }
    if address.family == AF_INET6 {
      descriptor.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, wanted.isIPv6Only ?? (host != .any) ? 1 : 0)
    }
    guard setFreebind(wanted, descriptor, address.family) else { throw error(wanted) }
    guard bind(address, descriptor, beside: others) else { throw error(wanted, beside: others) }
    return descriptor
  }

  /// Lets a socket be bound to an address that the machine doesn't have, if that is configured.
  static func setFreebind(_ wanted: ListenerConfiguration, _ socket: borrowing Descriptor, _ family: Int32) -> Bool {
    guard wanted.isFreebind else { return true }
    return family == AF_INET6
      ? socket.set(Int32(IPPROTO_IPV6), IPV6_FREEBIND, 1) : socket.set(Int32(IPPROTO_IP), IP_FREEBIND, 1)
  }

  /// Binds, even if a retired listener still has the address: for this moment both say that they share it. No client
  /// can connect to the retired one, so the new one gets all connections.
  private static func bind(
    _ address: SocketAddress, _ descriptor: borrowing Descriptor, beside others: Neighbours
  ) -> Bool {
    if address.bind(descriptor) { return true }
    guard errno == EADDRINUSE, others.makesRoom(at: address, for: descriptor) else { return false }
    descriptor.set(SOL_SOCKET, SO_REUSEPORT, 1)
    return address.bind(descriptor)
  }

  private static func openUnix(
    _ path: String, for wanted: ListenerConfiguration
  ) throws(MasterError) -> Listener {
    guard let descriptor = Descriptor.socket(AF_UNIX, SOCK_STREAM, isNonblocking: wanted.isNonblocking) else {
      throw error(wanted)
    }
    let file: SocketFile
    do {
      file = try SocketFile.bind(descriptor, to: path, wanted.access)
    } catch {
      throw Self.error(wanted, error)
    }
    guard listen(descriptor.number, wanted.backlog) == 0 else {
      defer { file.remove() }
      throw error(wanted)
    }
    return Listener(wanted, adopting: descriptor, socketFile: file)
  }

  /// Gives a socket's file its owner and its permissions. The file of what systemd has opened is at that path, too, or
  /// isn't touched.
  static func allow(
    _ wanted: ListenerConfiguration, _ socket: borrowing Descriptor, _ path: String, _ file: SocketFile?
  ) throws(FileError) {
    guard wanted.mode != nil || wanted.user != nil || wanted.group != nil else { return }
    let file = if let file { file } else { try SocketFile(of: socket, at: path) }
    try file.allow(wanted.access)
  }

  static func error(_ wanted: ListenerConfiguration, _ error: FileError) -> MasterError {
    switch error {
    case .failed(let number): self.error(wanted, number)
    case .refused(let reason): MasterError("cannot listen on \(wanted.name)=\(wanted.address): \(reason)")
    }
  }

  static func error(
    _ wanted: ListenerConfiguration, _ number: Int32 = errno, beside others: Neighbours = Neighbours()
  ) -> MasterError {
    let hint: String? =
      switch number {
      case EADDRINUSE where hasPort(of: wanted, others) != nil:
        "it overlaps with \(hasPort(of: wanted, others)?.title ?? "") of this service; first remove that in a"
          + " separate reload"
      case EADDRINUSE where SystemdSocket.isAt(wanted.address):
        "systemd listens there for a .socket unit, which 'systemctl list-sockets' shows: Service= in it has to name the unit of"
          + " this service, or stop it"
      case EADDRINUSE: "another process listens there; 'ss -lntpx' shows which"
      case EADDRNOTAVAIL:
        "this machine doesn't have the address, 'ip address' shows what it has; the option freebind=true lets a listener wait for one"
      case EMFILE: "\(OpenFiles.current) are the limit; LimitNOFILE= in the unit raises it, or 'ulimit -n'"
      case ENOENT: "its directory isn't there"
      case EACCES: "a port below 1024 needs root or CAP_NET_BIND_SERVICE, a path a directory that can be written to"
      default: nil
      }
    return MasterError(cannot: "listen on \(wanted.name)=\(wanted.address)", number, hint: hint)
  }

  private static func hasPort(of wanted: ListenerConfiguration, _ others: Neighbours) -> Listener? {
    let (wantedPort, areDatagram): (UInt16, Bool)
    switch wanted.address {
    case .tcp(_, let port): (wantedPort, areDatagram) = (port, false)
    case .udp(_, let port): (wantedPort, areDatagram) = (port, true)
    case .unix, .systemd: return nil
    }
    return others.listeners.first {
      $0.isDatagram == areDatagram && SocketAddress.local(of: $0.descriptor)?.port == wantedPort
    }
  }
}

/// The open sockets beside which a listener is to be opened.
struct Neighbours {
  var listeners: [Listener] = []
  /// Sockets that give way to another at their address.
  var hidden: [Int32] = []

  /// Whether one of them may be why the address is taken. The address of any other socket is not to be shared.
  func makesRoom(at address: SocketAddress, for socket: borrowing Descriptor) -> Bool {
    guard let port = address.port, let type = socket.get(SOL_SOCKET, SO_TYPE) else { return false }
    return hidden.contains { number in
      let copy = Descriptor(adopting: fcntl(number, F_DUPFD_CLOEXEC, 3))
      return copy.get(SOL_SOCKET, SO_TYPE) == type && SocketAddress.local(of: copy)?.port == port
    }
  }
}

extension ListenerConfiguration {
  var access: FileAccess { FileAccess(mode: mode, user: user, group: group) }
}

extension Descriptor {
  @discardableResult
  borrowing func set(_ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
    setOption(number, level, option, value)
  }

  borrowing func get(_ level: Int32, _ option: Int32) -> Int32? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(number, level, option, &value, &length) == 0 ? value : nil
  }
}

@discardableResult
private func setOption(_ number: Int32, _ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
  var value = value
  return setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
}
