/// What a service may be called: the name becomes part of paths, socket addresses and log fields.
package enum ServiceName {
  package static func validate(_ name: String) throws(ConfigurationError) -> String {
    guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy(isAllowed), name.utf8.first != UInt8(ascii: ".")
    else {
      throw ConfigurationError(
        "'\(name)' is no name for a service: use 1 to 64 letters, digits, '.', '_', '-' or '@', not beginning with '.'")
    }
    return name
  }

  /// The name for a command that was given none: that of its file.
  package static func derived(from program: String) -> String {
    let file = program.utf8.split(separator: UInt8(ascii: "/")).last ?? Substring("service").utf8
    let allowed = file.filter(isAllowed).drop { $0 == UInt8(ascii: ".") }.prefix(64)
    return allowed.isEmpty ? "service" : String(decoding: allowed, as: UTF8.self)
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    byte.isLetter || byte.isDigit || "._-@".utf8.contains(byte)
  }
}

/// In ASCII.
extension UInt8 {
  package var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
  package var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }
}
