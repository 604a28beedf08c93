import CRoostMaster
import Glibc
import RoostConfiguration
import RoostProcess

/// An address as system calls take it. In those of TCP and UDP the port follows the family; then comes the address, for
/// IPv6 after a flow.
struct SocketAddress {
  private var storage = sockaddr_storage()
  private var length = socklen_t(0)

  var family: Int32 { Int32(storage.ss_family) }

  private init() {}

  init(_ host: Address.Host, port: UInt16) {
    switch host {
    case .any: self.init(ipv6: "::", port: port)
    case .ipv6(let host): self.init(ipv6: host, port: port)
    case .ipv4(let host): self.init(ipv4: host, port: port)
    }
  }

  private init(ipv4 host: String, port: UInt16) {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    inet_pton(AF_INET, host, &address.sin_addr)
    store(&address, MemoryLayout<sockaddr_in>.size)
  }

  private init(ipv6 host: String, port: UInt16) {
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    inet_pton(AF_INET6, host, &address.sin6_addr)
    store(&address, MemoryLayout<sockaddr_in6>.size)
  }

  /// The address of a unix socket's file. The path was validated: it fits.
  init(unix path: String) {
    self.init(unixBytes: Array(path.utf8) + [0])
  }

  /// An abstract address (unix(7)): its name belongs to the network namespace and vanishes with the socket.
  init(abstract name: String) {
    self.init(unixBytes: [0] + Array(name.utf8))
  }

  private init(unixBytes bytes: [UInt8]) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    store(&address, MemoryLayout<sa_family_t>.size + bytes.count)
  }

  private mutating func store(_ address: UnsafeRawPointer, _ size: Int) {
    withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: size)) }
    length = socklen_t(size)
  }

  func bind(_ descriptor: borrowing Descriptor) -> Bool {
    let number = descriptor.number
    return withPointer { Glibc.bind(number, $0, length) == 0 }
  }

  /// Binds a socket to a path with no rights other than those of this user and this group.
  func bind(_ descriptor: borrowing Descriptor, user: uid_t, group: gid_t) -> Bool {
    let number = descriptor.number
    // It makes a child and waits for it.
    guard PassedDescriptors.areLetGo else {
      errno = EAGAIN
      return false
    }
    return withPointer { roost_bind_as(number, $0, Int(length), user, group) == 0 }
  }

  func connect(_ descriptor: borrowing Descriptor) -> Bool { connect(descriptor.number) }

  func connect(_ number: Int32) -> Bool { withPointer { Glibc.connect(number, $0, length) == 0 } }

  private func withPointer<R>(_ body: (UnsafePointer<sockaddr>) -> R) -> R {
    withUnsafePointer(to: storage) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
  }

  static func local(of descriptor: borrowing Descriptor) -> SocketAddress? {
    var address = SocketAddress()
    address.length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let number = descriptor.number
    let result = withUnsafeMutablePointer(to: &address.storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &address.length) }
    }
    return result == 0 ? address : nil
  }

  /// The port of a TCP or UDP socket.
  var port: UInt16? {
    guard family == AF_INET || family == AF_INET6 else { return nil }
    return withUnsafeBytes(of: storage) { UInt16($0[2]) << 8 | UInt16($0[3]) }
  }

  /// Whether a TCP socket takes all addresses, usually including IPv4.
  var isAnyIPv6: Bool {
    family == AF_INET6 && withUnsafeBytes(of: storage) { $0[8..<24].allSatisfy { $0 == 0 } }
  }

  /// Host and port, or the path of a unix socket alone.
  var bareText: String { family == AF_UNIX ? String(Substring(text.utf8.dropFirst(5))) : text }

  /// The address as the operator would write it.
  var text: String {
    withUnsafeBytes(of: storage) { bytes in
      switch family {
      case AF_INET: return Connections.text(Array(bytes[4..<8]), port ?? 0)
      case AF_INET6: return Connections.text(Array(bytes[8..<24]), port ?? 0)
      case AF_UNIX:
        let path = bytes[MemoryLayout<sa_family_t>.size..<Int(length)]
        return "unix:" + String(decoding: path.map { $0 == 0 ? UInt8(ascii: "@") : $0 }.trimmingEnd(), as: UTF8.self)
      default:
        return "family \(family)"
      }
    }
  }
}

extension [UInt8] {
  /// Without the NUL that ends a path, which is '@' by now.
  fileprivate func trimmingEnd() -> ArraySlice<UInt8> {
    first == UInt8(ascii: "@") || last != UInt8(ascii: "@") ? self[...] : dropLast()
  }
}
