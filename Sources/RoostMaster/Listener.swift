import Glibc
import RoostConfiguration

/// A listening socket that the master owns and its workers inherit.
final class Listener {
  let name: String
  /// The address that it really has, as the operator would write it.
  let address: String
  let descriptor: Descriptor
  private let backlog: Int32
  private let socketFile: SocketFile?
  /// What is known of the connections that wait to be accepted.
  var queue = AcceptQueue()

  init(_ wanted: ListenerConfiguration, adopting descriptor: consuming Descriptor, socketFile: SocketFile? = nil) {
    name = wanted.name
    backlog = wanted.backlog
    self.address = SocketAddress.local(of: descriptor)?.text ?? "?"
    self.descriptor = descriptor
    self.socketFile = socketFile
    // An adopted socket may have dropped something before, which is no reload's.
    sampleQueue()
    queue.beginReload()
  }

  deinit {
    socketFile?.remove()
  }

  /// Sets the length of the accept queue; safe at any time, also with connections in it (listen(2)).
  func restoreBacklog() {
    listen(descriptor.number, backlog)
  }

  /// Looks at the accept queue.
  func sampleQueue() { queue.sample([descriptor.number]) }

  /// Opens what the operator asked for: one listener, or as many as systemd has passed under the name.
  static func open(
    _ wanted: ListenerConfiguration, inherited: [(descriptor: Int32, name: String)]
  ) throws(MasterError) -> [Listener] {
    switch wanted.address {
    case .tcp(let host, let port): [try openTCP(host, port: port, for: wanted)]
    case .unix(let path): [try openUnix(path, for: wanted)]
    case .systemd(let name): try adopt(name, as: wanted, from: inherited)
    }
  }

  private static func openTCP(
    _ host: Address.Host, port: UInt16, for wanted: ListenerConfiguration
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
    guard address.bind(descriptor), listen(descriptor.number, wanted.backlog) == 0 else { throw error(wanted) }
    return Listener(wanted, adopting: descriptor)
  }

  private static func openUnix(
    _ path: String, for wanted: ListenerConfiguration
  ) throws(MasterError) -> Listener {
    let address = SocketAddress(unix: path)
    let number = socket(AF_UNIX, streamSocket(wanted), 0)
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
      guard descriptor.get(SOL_SOCKET, SO_ACCEPTCONN) == 1 else {
        throw MasterError("cannot adopt \(wanted.name)=\(wanted.address): it is no listening stream socket")
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
  private static func streamSocket(_ wanted: ListenerConfiguration) -> Int32 {
    Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      | (wanted.isNonblocking ? Int32(SOCK_NONBLOCK.rawValue) : 0)
  }
}

extension Descriptor {
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
