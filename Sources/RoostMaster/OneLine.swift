/// Texts for places that take one line of a bounded length.
enum OneLine {
  /// The text in one line, of at most this many bytes of UTF-8. An ellipsis stands for what is left out; no character
  /// of several bytes is split.
  static func of(_ text: String, atMost limit: Int) -> String {
    let ellipsis = "…"
    var bytes = text.utf8.map { isControl($0) ? UInt8(ascii: " ") : $0 }
    guard bytes.count > limit else { return String(decoding: bytes, as: UTF8.self) }
    var end = limit - ellipsis.utf8.count
    // A byte that continues a character can't be the first of what is cut off.
    while end > 0, bytes[end] & 0b1100_0000 == 0b1000_0000 { end -= 1 }
    bytes.removeSubrange(end...)
    return String(decoding: bytes, as: UTF8.self) + ellipsis
  }

  private static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7f }
}
