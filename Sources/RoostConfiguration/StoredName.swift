/// What a listener is called in systemd's fd store, by which a restarted master knows it again: `FDNAME=` in sd_notify(3).
package enum StoredName {
  /// No name of a listener has a slash, so that none is taken for one from a .socket unit.
  private static let prefix = "roost/"
  /// More than FDNAME_MAX of systemd isn't stored.
  private static let maximumLength = 255

  /// The name of this listener: its own and its address, since both tell it from others that are open at the same time.
  /// With `reuseport` it has a socket for each slot, of which this is one: those after the first have their number in it.
  package static func of(_ listener: ListenerConfiguration, socket: Int = 0) -> String {
    let full = "\(listener.name)=\(listener.address)"
    let escaped = prefix + (socket == 0 ? "" : "\(socket)/") + escape(full)
    guard escaped.utf8.count > maximumLength else { return escaped }
    let end = "~" + hexadecimal(hash(full), digits: 16)
    return String(decoding: escaped.utf8.prefix(maximumLength - end.utf8.count), as: UTF8.self) + end
  }

  /// Which of its listener's sockets has this name.
  package static func socket(of name: String) -> Int {
    let parts = name.dropFirst(prefix.count).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    return parts.count == 2 && parts[0].utf8.allSatisfy(\.isDigit) ? Int(parts[0]) ?? 0 : 0
  }

  /// Whether a descriptor of this name was stored by a master.
  package static func isOne(_ name: String) -> Bool {
    name.utf8.starts(with: prefix.utf8)
  }

  /// A colon separates names in `LISTEN_FDNAMES`, and what isn't printable ASCII is refused.
  private static func escape(_ text: String) -> String {
    text.utf8.map { byte in
      let isPlain = (0x21...0x7e).contains(byte) && byte != UInt8(ascii: ":") && byte != UInt8(ascii: "%")
      return isPlain ? String(Unicode.Scalar(byte)) : "%" + hexadecimal(byte, digits: 2)
    }.joined()
  }

  private static func hexadecimal(_ value: some BinaryInteger, digits: Int) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: digits - text.utf8.count) + text
  }

  /// FNV-1a: the same in every process, unlike Swift's own.
  private static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}
