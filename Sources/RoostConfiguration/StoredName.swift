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
    let end = "~" + hexadecimal(hash(full))
    return String(decoding: escaped.utf8.prefix(maximumLength - end.utf8.count), as: UTF8.self) + end
  }

  /// Which of its listener's sockets has this name.
  package static func socket(of name: String) -> Int {
    let digits = name.utf8.dropFirst(prefix.utf8.count).prefix { (0x30...0x39).contains($0) }
    let end = name.utf8.index(
      name.utf8.startIndex, offsetBy: prefix.utf8.count + digits.count, limitedBy: name.utf8.endIndex)
    guard let end, end < name.utf8.endIndex, name.utf8[end] == UInt8(ascii: "/") else { return 0 }
    return Int(String(Substring(digits))) ?? 0
  }

  /// Whether a descriptor of this name was stored by a master.
  package static func isOne(_ name: String) -> Bool {
    name.utf8.starts(with: prefix.utf8)
  }

  /// A colon separates names in `LISTEN_FDNAMES`, and what isn't printable ASCII is refused.
  private static func escape(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      if (0x21...0x7e).contains(byte), byte != UInt8(ascii: ":"), byte != UInt8(ascii: "%") {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), digit(byte >> 4), digit(byte & 15)]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
  }

  private static func hexadecimal(_ value: UInt64) -> String {
    let digits = stride(from: 60, through: 0, by: -4).map { digit(UInt8(truncatingIfNeeded: value >> UInt64($0)) & 15) }
    return String(decoding: digits, as: UTF8.self)
  }

  /// FNV-1a: the same in every process, unlike Swift's own.
  private static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}
