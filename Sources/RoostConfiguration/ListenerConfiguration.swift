/// A listener that the operator asks for.
public struct ListenerConfiguration: Hashable, Sendable {
  /// Its name, which workers see in `LISTEN_FDNAMES`.
  public let name: String
  /// Where it listens.
  public let address: Address

  /// A listener of this name and address.
  public init(name: String, address: Address) {
    self.name = name
    self.address = address
  }

  /// Reads `ADDRESS` or `NAME=ADDRESS`. Without a name the address gives one.
  public init(parsing text: String, directory: String) throws(ConfigurationError) {
    // A name has neither '/' nor ':', so that an equals sign in a socket's path isn't taken for one.
    if let equals = text.firstIndex(of: "="), !text[..<equals].contains(where: { $0 == "/" || $0 == ":" }) {
      name = try ListenerName.validate(String(text[..<equals]))
      address = try Address(parsing: String(text[text.index(after: equals)...]), directory: directory)
    } else {
      address = try Address(parsing: text, directory: directory)
      name = ListenerName.derived(from: address)
    }
  }
}

/// What a listener may be called (sd_listen_fds_with_names(3)).
enum ListenerName {
  static func validate(_ name: String) throws(ConfigurationError) -> String {
    let isPrintable = name.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ":") }
    guard (1...255).contains(name.utf8.count), isPrintable, !name.contains(where: { $0 == "/" || $0 == "=" }) else {
      throw ConfigurationError(
        "'\(name)' is no name for a listener: use 1 to 255 printable ASCII characters without ':', '/', '=' and spaces")
    }
    return name
  }

  static func derived(from address: Address) -> String {
    switch address {
    case .tcp(_, let port): "tcp-\(port)"
    case .unix(let path): "unix-" + ServiceName.derived(from: path)
    case .systemd(let name): name
    }
  }
}
