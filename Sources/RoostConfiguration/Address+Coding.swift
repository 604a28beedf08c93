/// In parts: the master takes no text apart.
extension Address: Codable {
  private enum Key: String, CodingKey {
    case unix, systemd, udp, ipv4, ipv6, port
  }

  package init(from decoder: any Decoder) throws {
    let parts = try decoder.container(keyedBy: Key.self)
    if let path = try parts.decodeIfPresent(String.self, forKey: .unix) {
      self = .unix(path: path)
    } else if let name = try parts.decodeIfPresent(String.self, forKey: .systemd) {
      self = .systemd(name: name)
    } else if parts.contains(.udp) {
      let (host, port) = try Self.hostAndPort(try parts.nestedContainer(keyedBy: Key.self, forKey: .udp))
      self = .udp(host, port: port)
    } else {
      let (host, port) = try Self.hostAndPort(parts)
      self = .tcp(host, port: port)
    }
  }

  private static func hostAndPort(_ parts: KeyedDecodingContainer<Key>) throws -> (Host, UInt16) {
    let host =
      try parts.decodeIfPresent(String.self, forKey: .ipv4).map { Host.ipv4($0) }
      ?? parts.decodeIfPresent(String.self, forKey: .ipv6).map { Host.ipv6($0) } ?? .any
    return (host, try parts.decode(UInt16.self, forKey: .port))
  }

  package func encode(to encoder: any Encoder) throws {
    var parts = encoder.container(keyedBy: Key.self)
    switch self {
    case .tcp(let host, let port): try Self.encode(host, port, into: &parts)
    case .udp(let host, let port):
      var inner = parts.nestedContainer(keyedBy: Key.self, forKey: .udp)
      try Self.encode(host, port, into: &inner)
    case .unix(let path): try parts.encode(path, forKey: .unix)
    case .systemd(let name): try parts.encode(name, forKey: .systemd)
    }
  }

  private static func encode(
    _ host: Host, _ port: UInt16, into parts: inout KeyedEncodingContainer<Key>
  ) throws {
    switch host {
    case .any: break
    case .ipv4(let address): try parts.encode(address, forKey: .ipv4)
    case .ipv6(let address): try parts.encode(address, forKey: .ipv6)
    }
    try parts.encode(port, forKey: .port)
  }
}
