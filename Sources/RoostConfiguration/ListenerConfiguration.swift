/// A listener that the operator asks for.
package struct ListenerConfiguration: Hashable, Sendable, Codable {
  /// Its name, which workers see in `LISTEN_FDNAMES`.
  package var name: String
  package var address: Address
  /// The length of the accept queue, at least 1 (listen(2)).
  package var backlog: Int32
  /// Whether accepting returns at once where there is no connection: `O_NONBLOCK` of the socket.
  package var isNonblocking = false
  /// Whether an IPv6 socket takes no IPv4 connections (`IPV6_V6ONLY` in ipv6(7)); nil for what fits the address.
  package var isIPv6Only: Bool?
  /// Whether it may have an address that the machine doesn't have, such as one that comes later (`IP_FREEBIND` in ip(7),
  /// `IPV6_FREEBIND`).
  package var isFreebind = false
  /// Whether each slot has a socket of its own (`SO_REUSEPORT` in socket(7)), and what chooses between them; nil for one
  /// socket that all workers share.
  package var reuseport: Reuseport?
  /// The permissions of a unix socket's file, or nil for what umask(2) leaves.
  package var mode: UInt32?
  /// The owner of a unix socket's file, or nil for the master's user.
  package var user: UInt32?
  /// The group of a unix socket's file, or nil for the master's group.
  package var group: UInt32?

  private enum CodingKeys: String, CodingKey {
    case name, address, backlog, reuseport, mode, user, group
    case isNonblocking = "nonblocking"
    case isIPv6Only = "ipv6Only"
    case isFreebind = "freebind"
  }

  /// The length of an accept queue that nobody has chosen. net.core.somaxconn bounds it.
  package static let defaultBacklog: Int32 = 4096

  /// A listener of this name and address, with the options that nobody has chosen.
  package init(name: String, address: Address, backlog: Int32 = defaultBacklog) {
    self.name = name
    self.address = address
    self.backlog = backlog
  }

  /// Reads `ADDRESS` or `NAME=ADDRESS`. Without a name the address gives one.
  package init(parsing text: String, directory: String) throws(ConfigurationError) {
    // A name has neither '/' nor ':', so that an equals sign in a socket's path isn't taken for one.
    if let equals = text.firstIndex(of: "="), !text[..<equals].contains(where: { $0 == "/" || $0 == ":" }) {
      let name = try ListenerName.validate(String(text[..<equals]))
      self.init(
        name: name, address: try Address(parsing: String(text[text.index(after: equals)...]), directory: directory))
    } else {
      let address = try Address(parsing: text, directory: directory)
      self.init(name: ListenerName.derived(from: address), address: address)
    }
  }
}

/// What chooses between the sockets that the slots have of a listener.
package enum Reuseport: String, Hashable, Sendable, Codable {
  /// Chance for connections, and the sender's address and port for datagrams.
  case even
  /// The processor that a packet arrives at: slot n has processor n (`SO_INCOMING_CPU` in socket(7)).
  case cpu
}

/// What a listener may be called (sd_listen_fds_with_names(3)).
package enum ListenerName {
  package static func validate(_ name: String) throws(ConfigurationError) -> String {
    let areAllowed = name.utf8.allSatisfy { (0x21...0x7e).contains($0) && !":/=".utf8.contains($0) }
    guard (1...255).contains(name.utf8.count), areAllowed else {
      throw ConfigurationError(
        "'\(name)' is no name for a listener: use 1 to 255 printable ASCII characters without ':', '/', '=' and spaces")
    }
    return name
  }

  static func derived(from address: Address) -> String {
    switch address {
    case .tcp(_, let port): "tcp-\(port)"
    case .udp(_, let port): "udp-\(port)"
    case .unix(let path): "unix-" + ServiceName.derived(from: path)
    case .systemd(let name): name
    }
  }
}
