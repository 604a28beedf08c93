import Glibc
import RoostConfiguration

/// Where a trial listens: where the service would, or elsewhere if the address is taken, for example by the running
/// service. No client of the service may reach a trial's worker instead.
final class TrialPlaces {
  /// The directory for unix sockets, once there is one.
  private var directory: String?
  private var paths: [String] = []

  deinit {
    // The directory belongs to this user alone.
    for path in paths { unlink(path) }
    if let directory { rmdir(directory) }
  }

  /// A listener that can be opened beside those that are open, as far as addresses are concerned.
  func unoccupied(_ wanted: ListenerConfiguration) throws(MasterError) -> ListenerConfiguration {
    guard Self.isTaken(wanted) else { return wanted }
    var moved = wanted
    switch wanted.address {
    case .tcp(let host, _): moved.address = .tcp(host, port: 0)
    case .udp(let host, _): moved.address = .udp(host, port: 0)
    case .unix: moved.address = .unix(path: try path())
    case .systemd: break
    }
    return moved
  }

  private func path() throws(MasterError) -> String {
    if directory == nil { directory = try makeDirectory() }
    let path = "\(directory ?? "")/\(paths.count).sock"
    paths.append(path)
    return path
  }

  /// Not where TMPDIR says: a socket's path has to be short (unix(7)).
  private func makeDirectory() throws(MasterError) -> String {
    guard let name = strdup("/tmp/roost-doctor.XXXXXX") else {
      throw MasterError(cannot: "make a name for a directory")
    }
    defer { free(name) }
    guard mkdtemp(name) != nil else { throw MasterError(cannot: "make a directory in /tmp") }
    return String(cString: name)
  }

  /// Whether the address is taken. If it isn't available for another reason, opening it says so.
  private static func isTaken(_ wanted: ListenerConfiguration) -> Bool {
    switch wanted.address {
    case .tcp(let host, let port): isTaken(SOCK_STREAM, host, port, wanted)
    case .udp(let host, let port): isTaken(SOCK_DGRAM, host, port, wanted)
    case .unix(let path): SocketFile.isListening(path)
    case .systemd: false
    }
  }

  /// Never as one of those that share it: with `reuseport` the kernel would give a trial connections that are meant for
  /// the service.
  private static func isTaken(
    _ type: __socket_type, _ host: Address.Host, _ port: UInt16, _ wanted: ListenerConfiguration
  ) -> Bool {
    // A kernel without IPv6 has "all addresses" of IPv4.
    let hosts = host == .any ? [host, .ipv4("0.0.0.0")] : [host]
    return hosts.contains { host in
      let address = SocketAddress(host, port: port)
      guard let descriptor = Descriptor.socket(address.family, type, isNonblocking: false) else { return false }
      if type == SOCK_STREAM { descriptor.set(SOL_SOCKET, SO_REUSEADDR, 1) }
      if address.family == AF_INET6 {
        descriptor.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, wanted.isIPv6Only ?? (host != .any) ? 1 : 0)
      }
      return !address.bind(descriptor) && errno == EADDRINUSE
    }
  }
}
