import Glibc

/// Where a listener listens.
package enum Address: Hashable, Sendable {
  /// A TCP port of this host. 0 lets the kernel choose.
  case tcp(Host, port: UInt16)
  /// A UDP port of this host. 0 lets the kernel choose.
  case udp(Host, port: UInt16)
  /// A socket file, by absolute path.
  case unix(path: String)
  /// A listening socket, or one for datagrams, that systemd has passed under this name (`FileDescriptorName=` in systemd.socket(5)).
  case systemd(name: String)

  /// The addresses of this machine that a TCP or UDP listener takes.
  package enum Host: Hashable, Sendable {
    /// All, IPv6 and IPv4.
    case any
    /// An IPv4 address in dotted notation.
    case ipv4(String)
    /// An IPv6 address without brackets.
    case ipv6(String)
  }

  /// Reads an address such as `8080`, `127.0.0.1:8080`, `[::1]:8080`, `udp:8443`, `unix:/run/x.sock` or `systemd:NAME`.
  /// A relative path is taken from `directory`. `examples` is what an error offers.
  package init(
    parsing text: String, directory: String,
    examples: String = "8080, 127.0.0.1:8080, [::1]:8080, udp:8443, unix:/run/x.sock or systemd:NAME"
  ) throws(ConfigurationError) {
    if text.hasPrefix("unix:") {
      self = .unix(path: try Self.socketPath(String(text.dropFirst(5)), in: directory))
    } else if text.hasPrefix("systemd:") {
      self = .systemd(name: try ListenerName.validate(String(text.dropFirst(8))))
    } else {
      let isDatagram = text.hasPrefix("udp:")
      guard let (host, port) = Self.hostAndPort(text.dropFirst(isDatagram ? 4 : 0)) else {
        throw ConfigurationError("'\(text)' is no address: use \(examples)")
      }
      self = isDatagram ? .udp(host, port: port) : .tcp(host, port: port)
    }
  }

  private static func hostAndPort(_ text: Substring) -> (Host, UInt16)? {
    let colon = text.lastIndex(of: ":")
    let host = colon.map { text[..<$0] } ?? "*"
    let port = colon.map { text[text.index(after: $0)...] } ?? text
    guard let number = UInt16(port), port.allSatisfy(\.isNumber), let host = Host(parsing: host) else { return nil }
    return (host, number)
  }

  private static func socketPath(_ path: String, in directory: String) throws(ConfigurationError) -> String {
    let absolute = path.hasPrefix("/") ? path : directory + "/" + path
    guard !path.isEmpty, isSocketPath(absolute) else {
      throw ConfigurationError(
        "'unix:\(path)' is no address: a socket's path has 1 to \(Limits.socketPath) bytes and names a file")
    }
    return absolute
  }

  private static func isSocketPath(_ path: String) -> Bool {
    let slash = UInt8(ascii: "/")
    return path.utf8.first == slash && path.utf8.last != slash && path.utf8.count <= Limits.socketPath
      && !path.utf8.contains(0)
  }

  /// Of TCP and UDP.
  package var port: UInt16? {
    switch self {
    case .tcp(_, let port), .udp(_, let port): port
    case .unix, .systemd: nil
    }
  }

  package var isChosenByKernel: Bool { port == 0 }

  /// Whether it is one that can be read from text.
  var isValid: Bool {
    switch self {
    case .tcp(let host, _), .udp(let host, _): host.isValid
    case .unix(let path): Self.isSocketPath(path)
    case .systemd(let name): (try? ListenerName.validate(name)) != nil
    }
  }
}

extension Address.Host {
  fileprivate init?(parsing text: Substring) {
    if text == "*" {
      self = .any
    } else if text.hasPrefix("["), text.hasSuffix("]"), Self.isNumeric(text.dropFirst().dropLast(), AF_INET6) {
      self = .ipv6(String(text.dropFirst().dropLast()))
    } else if Self.isNumeric(text, AF_INET) {
      self = .ipv4(String(text))
    } else {
      return nil
    }
  }

  fileprivate var isValid: Bool {
    switch self {
    case .any: true
    case .ipv4(let text): Self.isNumeric(text[...], AF_INET)
    case .ipv6(let text): Self.isNumeric(text[...], AF_INET6)
    }
  }

  private static func isNumeric(_ text: Substring, _ family: Int32) -> Bool {
    var address = in6_addr()  // Larger than an in_addr.
    return !text.utf8.contains(0) && inet_pton(family, String(text), &address) == 1
  }
}

extension Address: CustomStringConvertible {
  /// The address as its parser reads it.
  package var description: String {
    switch self {
    case .tcp(let host, let port): "\(host):\(port)"
    case .udp(let host, let port): "udp:\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    case .systemd(let name): "systemd:\(name)"
    }
  }
}

extension Address.Host: CustomStringConvertible {
  /// The host as the parser of addresses reads it.
  package var description: String {
    switch self {
    case .any: "*"
    case .ipv4(let host): host
    case .ipv6(let host): "[\(host)]"
    }
  }
}
