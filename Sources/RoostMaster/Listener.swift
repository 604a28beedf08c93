import CRoostLinux
import Glibc
import RoostConfiguration

/// A listening socket, or one for datagrams, that the master owns and its workers inherit. With `reuseport` it is a group
/// of sockets (Listener+Reuseport.swift).
final class Listener {
  let name: String
  /// The address that it really has, as the operator would write it.
  let address: String
  let descriptor: Descriptor
  /// Whether it is a socket for datagrams: it has no accept queue.
  let isDatagram: Bool
  /// What chooses between the sockets of the slots, if they have their own.
  let reuseport: Reuseport?
  /// Whether accepting, or receiving, doesn't wait.
  let isNonblocking: Bool
  /// With `reuseport`: the sockets of the slots from 1 up, in the order in which they joined the group.
  var furtherSockets: [SlotSocket] = []
  /// With `reuseport`: the slots whose sockets the kernel chooses from.
  var steered: [Range<Int>] = []
  let backlog: Int32
  private let socketFile: SocketFile?
  /// The longest that its accept queue was whenever it was looked at.
  private(set) var peakQueue = 0

  init(_ wanted: ListenerConfiguration, adopting descriptor: consuming Descriptor, socketFile: SocketFile? = nil) {
    name = wanted.name
    backlog = wanted.backlog
    reuseport = wanted.reuseport
    isNonblocking = wanted.isNonblocking
    isDatagram = descriptor.get(SOL_SOCKET, SO_TYPE) == Int32(SOCK_DGRAM.rawValue)
    let text = SocketAddress.local(of: descriptor)?.text ?? "?"
    address = isDatagram ? "udp:\(text)" : text
    self.descriptor = descriptor
    self.socketFile = socketFile
  }

  deinit {
    socketFile?.remove()
  }

  /// Sets the length of the accept queue; safe at any time, also with connections in it (listen(2)).
  func restoreBacklog() {
    if isDatagram { return }
    for number in numbers { listen(number, backlog) }
  }

  /// How many connections wait to be accepted, and how many can; nil where the kernel doesn't say.
  @discardableResult
  func sampleQueue() -> (queued: Int, limit: Int)? {
    if isDatagram { return nil }
    var sum = (queued: 0, limit: 0)
    for number in numbers {
      var queued: UInt32 = 0
      var limit: UInt32 = 0
      guard roost_accept_queue(number, &queued, &limit) == 0 else { return nil }
      sum = (sum.queued + Int(queued), sum.limit + Int(limit))
    }
    peakQueue = max(peakQueue, sum.queued)
    return sum
  }

  /// Opens what the operator asked for: one listener, or as many as systemd has passed under the name.
  static func open(
    _ wanted: ListenerConfiguration, inherited: [(descriptor: Int32, name: String)]
  ) throws(MasterError) -> [Listener] {
    switch wanted.address {
    case .tcp(let host, let port) where wanted.reuseport != nil:
      [try openGroup(SOCK_STREAM, host, port: port, for: wanted)]
    case .udp(let host, let port) where wanted.reuseport != nil:
      [try openGroup(SOCK_DGRAM, host, port: port, for: wanted)]
    case .tcp(let host, let port): [try openTCP(host, port: port, for: wanted)]
    case .udp(let host, let port): [Listener(wanted, adopting: try bound(SOCK_DGRAM, host, port: port, for: wanted))]
    case .unix(let path): [try openUnix(path, for: wanted)]
    case .systemd(let name): try adopt(name, as: wanted, from: inherited)
    }
  }

  private static func openTCP(
    _ host: Address.Host, port: UInt16, for wanted: ListenerConfiguration
  ) throws(MasterError) -> Listener {
    let descriptor = try bound(SOCK_STREAM, host, port: port, for: wanted)
    guard listen(descriptor.number, wanted.backlog) == 0 else { throw error(wanted) }
    return Listener(wanted, adopting: descriptor)
  }

  /// A socket that has its address and doesn't listen yet; `isShared` if others may have the same.
  static func bound(
    _ type: __socket_type, _ host: Address.Host, port: UInt16, for wanted: ListenerConfiguration,
    isShared: Bool = false
  ) throws(MasterError) -> Descriptor {
    var address = SocketAddress(host, port: port)
    var number = socket(address.family, flags(type, wanted.isNonblocking), 0)
    if number < 0, errno == EAFNOSUPPORT, host == .any {
      // A kernel without IPv6: "all addresses" are those of IPv4.
      address = SocketAddress(.ipv4("0.0.0.0"), port: port)
      number = socket(address.family, flags(type, wanted.isNonblocking), 0)
    }
    guard number >= 0 else { throw error(wanted) }
    let descriptor = Descriptor(adopting: number)
    // Connections of a former run that are in TIME_WAIT don't stand in the way (socket(7)). Datagram sockets have no such
    // state, and with this option two of them could share an address without knowing.
    if type == SOCK_STREAM { descriptor.set(SOL_SOCKET, SO_REUSEADDR, 1) }
    if isShared { descriptor.set(SOL_SOCKET, SO_REUSEPORT, 1) }
    if address.family == AF_INET6 {
      descriptor.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, wanted.isIPv6Only ?? (host != .any) ? 1 : 0)
    }
    guard address.bind(descriptor) else { throw error(wanted) }
    return descriptor
  }

  private static func openUnix(
    _ path: String, for wanted: ListenerConfiguration
  ) throws(MasterError) -> Listener {
    let address = SocketAddress(unix: path)
    let number = socket(AF_UNIX, flags(SOCK_STREAM, wanted.isNonblocking), 0)
    guard number >= 0 else { throw error(wanted) }
    let descriptor = Descriptor(adopting: number)
    var isBound = address.bind(descriptor)
    if !isBound, errno == EADDRINUSE, try SocketFile.isStale(path, for: wanted) {
      unlink(path)
      isBound = address.bind(descriptor)
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
  private static func allow(_ wanted: ListenerConfiguration, _ path: String) -> Bool {
    if wanted.user != nil || wanted.group != nil, chown(path, wanted.user ?? .max, wanted.group ?? .max) != 0 {
      return false
    }
    guard let mode = wanted.mode else { return true }
    return chmod(path, mode) == 0
  }

  private static func adopt(
    _ name: String, as wanted: ListenerConfiguration, from inherited: [(descriptor: Int32, name: String)]
  ) throws(MasterError) -> [Listener] {
    let matches = inherited.filter { $0.name == name }
    guard !matches.isEmpty else {
      let names = inherited.isEmpty ? "none" : inherited.map(\.name).joined(separator: ", ")
      throw MasterError(
        "cannot adopt \(wanted.name)=\(wanted.address): systemd passed no socket of this name, but \(names)"
          + " (it is set by FileDescriptorName= in the .socket unit)")
    }
    var listeners: [Listener] = []
    for match in matches {
      let descriptor = Descriptor(adopting: match.descriptor)
      guard descriptor.get(SOL_SOCKET, SO_ACCEPTCONN) == 1 || descriptor.isForDatagrams else {
        throw MasterError(
          "cannot adopt \(wanted.name)=\(wanted.address): it is no listening stream socket, and none for UDP")
      }
      listeners.append(Listener(wanted, adopting: descriptor))
    }
    return listeners
  }

  static func error(_ wanted: ListenerConfiguration, _ number: Int32 = errno) -> MasterError {
    let hint: String? =
      switch number {
      case EADDRINUSE: "another process listens there; 'ss -lntpx' shows which"
      case EADDRNOTAVAIL: "this machine doesn't have the address; 'ip address' shows what it has"
      case EACCES: "a port below 1024 needs root or CAP_NET_BIND_SERVICE, a path a directory that can be written to"
      default: nil
      }
    return MasterError(cannot: "listen on \(wanted.name)=\(wanted.address)", number, hint: hint)
  }

  /// Blocking unless asked for, as systemd passes sockets too: the flag is shared with every process that holds the
  /// socket, so the master never changes it later.
  static func flags(_ type: __socket_type, _ isNonblocking: Bool) -> Int32 {
    Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | (isNonblocking ? Int32(SOCK_NONBLOCK.rawValue) : 0)
  }
}

extension Descriptor {
  /// Whether it is a UDP socket.
  fileprivate var isForDatagrams: Bool {
    self.get(SOL_SOCKET, SO_PROTOCOL) == Int32(IPPROTO_UDP)
  }

  borrowing func set(_ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  borrowing func get(_ level: Int32, _ option: Int32) -> Int32? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(number, level, option, &value, &length) == 0 ? value : nil
  }
}
