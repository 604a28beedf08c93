import Glibc

/// Where clients of a listener connect: what it accepts has the same address.
package enum ListenerPlace: Hashable, Sendable {
  /// This port at this address, 4 bytes or 16; at all addresses if there is none.
  case tcp(address: [UInt8]?, port: UInt16)
  /// The name of a unix socket, as getsockname(2) returns it, without the family.
  case unix(name: [UInt8])

  /// The place of a socket; nil if it is of another kind, has no address, or is in another network namespace, about
  /// which the kernel reveals nothing here.
  package init?(of descriptor: Int32) {
    guard Self.isHere(descriptor) else { return nil }
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard result == 0 else { return nil }
    let bytes = withUnsafeBytes(of: storage) { Array($0.prefix(Int(length))) }
    // The port follows the family; for IPv6 there is a flow in between.
    switch Int32(storage.ss_family) {
    case AF_INET where bytes.count >= 8: self = Self.tcp(bytes[2..<4], bytes[4..<8])
    case AF_INET6 where bytes.count >= 24: self = Self.tcp(bytes[2..<4], bytes[8..<24])
    case AF_UNIX where bytes.count > 2: self = .unix(name: Array(bytes[2...]))
    default: return nil
    }
  }

  /// Whether a socket is in the network namespace in which this process makes its own. Older kernels than 5.14 don't say.
  private static func isHere(_ descriptor: Int32) -> Bool {
    let own = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard own >= 0 else { return true }
    defer { close(own) }
    guard let here = namespace(own), let there = namespace(descriptor) else { return true }
    return here == there
  }

  private static func namespace(_ descriptor: Int32) -> UInt64? {
    // SO_NETNS_COOKIE
    let option: Int32 = 71
    var cookie: UInt64 = 0
    var length = socklen_t(MemoryLayout<UInt64>.size)
    return getsockopt(descriptor, SOL_SOCKET, option, &cookie, &length) == 0 ? cookie : nil
  }

  private static func tcp(_ port: ArraySlice<UInt8>, _ address: ArraySlice<UInt8>) -> ListenerPlace {
    let number = port.reduce(UInt16(0)) { $0 << 8 | UInt16($1) }
    return .tcp(address: address.allSatisfy { $0 == 0 } ? nil : Self.plain(Array(address)), port: number)
  }

  /// An IPv4 address of an IPv6 socket (`::ffff:10.0.0.7`) as what it is.
  static func plain(_ address: [UInt8]) -> [UInt8] {
    let isMapped = address.count == 16 && address[..<12].elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff])
    return isMapped ? Array(address[12...]) : address
  }
}
