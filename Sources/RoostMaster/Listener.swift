import CRoostLinux
import Glibc
import RoostConfiguration

/// A listening socket that the master owns and its workers inherit.
final class Listener {
  /// What the operator wants of it. A takeover changes what can be changed in place.
  private(set) var configuration: ListenerConfiguration
  /// The address that it really has, as the operator would write it.
  let address: String
  let descriptor: Descriptor
  /// The file that goes with it; nil if there is none, or it isn't this listener's to remove.
  private(set) var socketFile: SocketFile?
  /// The name under which a .socket unit has passed it: systemd opened it, and goes on listening when nobody else does.
  let passedName: String?
  /// The name under which systemd keeps a copy for the next master.
  var storedName: String?
  /// Whether it lets nobody in any more, and closes with the last worker that has it.
  private(set) var isRetired: Bool
  /// The longest that its accept queue was whenever it was looked at.
  private(set) var peakQueue = 0

  /// A listener of an open socket, with the file that is to be removed with it.
  init(
    _ wanted: ListenerConfiguration, adopting descriptor: consuming Descriptor, socketFile: SocketFile? = nil,
    passedName: String? = nil, storedName: String? = nil, isRetired: Bool = false
  ) {
    configuration = wanted
    address = SocketAddress.local(of: descriptor)?.text ?? "?"
    self.descriptor = descriptor
    self.socketFile = socketFile
    self.passedName = passedName
    self.storedName = storedName
    self.isRetired = isRetired
  }

  deinit {
    socketFile?.remove()
  }

  var name: String { configuration.name }
  /// Whether systemd opened it.
  var isForeign: Bool { passedName != nil }
  /// Name and address, for the log.
  var title: String { "\(name)=\(address)" }

  /// Lets the file outlive this: whoever has a copy of the socket goes on listening there.
  func leaveFile() {
    socketFile = nil
  }

  /// Sets the length of the accept queue; safe at any time, also with connections in it (listen(2)).
  func restoreBacklog() {
    listen(descriptor.number, configuration.backlog)
  }

  /// Takes on what the operator wants of it now, as far as an open socket can. Whether the file got its permissions.
  func take(_ wanted: ListenerConfiguration) -> Bool {
    let isSame = configuration == wanted
    configuration = wanted
    restoreBacklog()
    if isSame { return true }
    guard case .unix(let path) = wanted.address else { return true }
    return Self.allow(wanted, path)
  }

  /// Lets nobody in any more, while whoever is in its queue stays there to be accepted.
  func retire() {
    isRetired = true
    if let file = socketFile {
      file.remove()
      return leaveFile()
    }
    // A listener of a network interface that doesn't exist is found by no SYN, so the kernel refuses new connections.
    // Handshakes that have begun are completed. A shutdown(2) or connect(2) would reset what is queued.
    guard descriptor.set(SOL_SOCKET, SO_BINDTOIFINDEX, .max) else { return }
    // The address may be wanted anew before the last worker has let go of this: see `bind`.
    descriptor.set(SOL_SOCKET, SO_REUSEPORT, 1)
  }

  /// How many connections wait to be accepted, and how many can; nil where the kernel doesn't say.
  @discardableResult
  func sampleQueue() -> (queued: Int, limit: Int)? {
    var queued: UInt32 = 0
    var limit: UInt32 = 0
    guard roost_accept_queue(descriptor.number, &queued, &limit) == 0 else { return nil }
    peakQueue = max(peakQueue, Int(queued))
    return (Int(queued), Int(limit))
  }

  /// Opens what the operator asked for, beside the listeners that are open already.
  static func open(_ wanted: ListenerConfiguration, beside others: [Listener]) throws(MasterError) -> Listener {
    switch wanted.address {
    case .tcp(let host, let port): try openTCP(host, port: port, for: wanted, beside: others)
    case .unix(let path): try openUnix(path, for: wanted)
    case .systemd: preconditionFailure("a socket that systemd passes isn't opened")
    }
  }

  private static func openTCP(
    _ host: Address.Host, port: UInt16, for wanted: ListenerConfiguration, beside others: [Listener]
  ) throws(MasterError) -> Listener {
    var address = SocketAddress(host, port: port)
    var number = socket(address.family, streamSocket(wanted), 0)
    if number < 0, errno == EAFNOSUPPORT, host == .any {
      // A kernel without IPv6: "all addresses" are those of IPv4.
      address = SocketAddress(.ipv4("0.0.0.0"), port: port)
      number = socket(address.family, streamSocket(wanted), 0)
    }
    guard number >= 0 else { throw error(wanted) }
    let descriptor = Descriptor(adopting: number)
    // Connections of a former run that are in TIME_WAIT don't stand in the way (socket(7)).
    descriptor.set(SOL_SOCKET, SO_REUSEADDR, 1)
    if address.family == AF_INET6 {
      descriptor.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, wanted.isIPv6Only ?? (host != .any) ? 1 : 0)
    }
    guard bind(address, descriptor, beside: others), listen(descriptor.number, wanted.backlog) == 0 else {
      throw error(wanted, beside: others)
    }
    descriptor.set(SOL_SOCKET, SO_REUSEPORT, 0)
    return Listener(wanted, adopting: descriptor)
  }

  /// Binds, also where a retired listener still has the address: both say for this moment that they share it. Nobody
  /// connects to the retired one, so the new one gets all.
  private static func bind(
    _ address: SocketAddress, _ descriptor: borrowing Descriptor, beside others: [Listener]
  ) -> Bool {
    if address.bind(descriptor) { return true }
    guard errno == EADDRINUSE, others.contains(where: \.isRetired) else { return false }
    descriptor.set(SOL_SOCKET, SO_REUSEPORT, 1)
    return address.bind(descriptor)
  }

  private static func openUnix(
    _ path: String, for wanted: ListenerConfiguration
  ) throws(MasterError) -> Listener {
    let address = SocketAddress(unix: path)
    let number = socket(AF_UNIX, streamSocket(wanted), 0)
    guard number >= 0 else { throw error(wanted) }
    let descriptor = Descriptor(adopting: number)
    var isBound = address.bind(descriptor)
    if !isBound, errno == EADDRINUSE {
      // The file that was looked at, and no other that somebody has put there meanwhile.
      let found = SocketFile(path: path)
      if try SocketFile.isStale(path, for: wanted) {
        found?.remove()
        isBound = address.bind(descriptor)
      }
    }
    guard isBound else { throw error(wanted) }
    let file = SocketFile(path: path)
    // Nobody can connect before it listens: by then the file is whose it is to be.
    guard allow(wanted, path), listen(descriptor.number, wanted.backlog) == 0 else {
      defer { file?.remove() }
      throw error(wanted)
    }
    return Listener(wanted, adopting: descriptor, socketFile: file)
  }

  /// Gives a socket's file its owner and its permissions.
  static func allow(_ wanted: ListenerConfiguration, _ path: String) -> Bool {
    if wanted.user != nil || wanted.group != nil, chown(path, wanted.user ?? .max, wanted.group ?? .max) != 0 {
      return false
    }
    guard let mode = wanted.mode else { return true }
    return chmod(path, mode) == 0
  }

  static func error(
    _ wanted: ListenerConfiguration, _ number: Int32 = errno, beside others: [Listener] = []
  ) -> MasterError {
    let hint: String? =
      switch number {
      case EADDRINUSE where hasPort(of: wanted, others) != nil:
        "it overlaps with \(hasPort(of: wanted, others)?.title ?? "") of this service; remove that in a reload before"
      case EADDRINUSE: "another process listens there; 'ss -lntpx' shows which"
      case EADDRNOTAVAIL: "this machine doesn't have the address; 'ip address' shows what it has"
      case EACCES: "a port below 1024 needs root or CAP_NET_BIND_SERVICE, a path a directory that can be written to"
      default: nil
      }
    return MasterError(cannot: "listen on \(wanted.name)=\(wanted.address)", number, hint: hint)
  }

  private static func hasPort(of wanted: ListenerConfiguration, _ others: [Listener]) -> Listener? {
    guard case .tcp(_, let port) = wanted.address, port != 0 else { return nil }
    return others.first { SocketAddress.local(of: $0.descriptor)?.port == port }
  }

  /// Blocking unless asked for, as systemd passes sockets too: the flag is shared with every process that holds the
  /// socket, so the master never changes it later.
  private static func streamSocket(_ wanted: ListenerConfiguration) -> Int32 {
    Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      | (wanted.isNonblocking ? Int32(SOCK_NONBLOCK.rawValue) : 0)
  }
}

extension Descriptor {
  @discardableResult
  borrowing func set(_ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
    var value = value
    return setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
  }

  borrowing func get(_ level: Int32, _ option: Int32) -> Int32? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(number, level, option, &value, &length) == 0 ? value : nil
  }
}
