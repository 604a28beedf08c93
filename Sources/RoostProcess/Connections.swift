import CRoostProcess
import Glibc

/// The open connections of a network namespace, by the inodes of their sockets.
package struct Connections {
  /// The clients, such as `10.0.0.7:51512`; nil for a unix socket, whose clients have no names.
  private(set) var peers: [UInt64: String?] = [:]

  /// Those with one of these sockets that clients have made to one of these places; nil if the kernel doesn't reveal
  /// them.
  init?(to places: Set<ListenerPlace>, among sockets: Set<UInt64>) {
    if sockets.isEmpty { return }
    var ports: [UInt16: Set<[UInt8]?>] = [:]
    for place in places {
      switch place {
      case .tcp(let address, let port): ports[port, default: []].insert(address)
      case .unix(let name): guard addUnix(name, sockets) else { return nil }
      }
    }
    for (port, addresses) in ports {
      for family in [AF_INET, AF_INET6] {
        guard addTCP(family, port, addresses, sockets) else { return nil }
      }
    }
  }

  private mutating func addTCP(
    _ family: Int32, _ port: UInt16, _ addresses: Set<[UInt8]?>, _ sockets: Set<UInt64>
  ) -> Bool {
    let answer = roost_ask_tcp(family, port)
    guard answer >= 0 else { return false }
    defer { close(answer) }
    var part = [roost_connection](repeating: roost_connection(), count: Int(ROOST_MOST_CONNECTIONS))
    var isLast = false
    while !isLast {
      let count = roost_next_tcp(answer, &part, &isLast)
      if count < 0 { return false }
      for connection in part.prefix(count) where sockets.contains(connection.inode) {
        // A connection that the process itself has made, from the same port of another address.
        guard addresses.contains(nil) || addresses.contains(Self.address(connection.local, family)) else { continue }
        let peer = Self.text(Self.address(connection.remote, family), connection.remote_port)
        peers.updateValue(peer, forKey: connection.inode)
      }
    }
    return true
  }

  private mutating func addUnix(_ name: [UInt8], _ sockets: Set<UInt64>) -> Bool {
    let answer = roost_ask_unix()
    guard answer >= 0 else { return false }
    defer { close(answer) }
    var part = [UInt64](repeating: 0, count: Int(ROOST_MOST_CONNECTIONS))
    var isLast = false
    while !isLast {
      let count = roost_next_unix(answer, name, name.count, &part, &isLast)
      if count < 0 { return false }
      for inode in part.prefix(count) where sockets.contains(inode) { peers.updateValue(nil, forKey: inode) }
    }
    return true
  }

  private static func address<Bytes>(_ bytes: Bytes, _ family: Int32) -> [UInt8] {
    withUnsafeBytes(of: bytes) { ListenerPlace.plain(Array($0.prefix(family == AF_INET ? 4 : 16))) }
  }

  /// An address in its usual notation.
  package static func text(_ address: [UInt8], _ port: UInt16) -> String {
    let isIPv6 = address.count == 16
    let host = address.withUnsafeBytes { address in
      String(unsafeUninitializedCapacity: Int(INET6_ADDRSTRLEN)) { text in
        text.withMemoryRebound(to: CChar.self) { text in
          inet_ntop(isIPv6 ? AF_INET6 : AF_INET, address.baseAddress!, text.baseAddress!, socklen_t(text.count))
            .map { strlen($0) } ?? 0
        }
      }
    }
    return isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)"
  }
}
