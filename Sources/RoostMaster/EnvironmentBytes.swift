/// A variable's value may be any bytes but NUL; a string may not. Each byte that isn't text is represented by a
/// character of the last private use plane, U+10FF80 for 0x80 to U+10FFFF for 0xff, as Python does it with surrogates.
/// Text that contains such characters itself is taken for bytes, so that nothing is ever changed.
enum EnvironmentBytes {
  /// The first bytes of the UTF-8 of a character that stands for a byte, and how many values the third one can have.
  private static let lead: [UInt8] = [0xf4, 0x8f]
  private static let third: ClosedRange<UInt8> = 0xbe...0xbf

  static func text(of bytes: [UInt8]) -> String {
    if !hasStandIn(bytes), let text = String(validating: bytes, as: UTF8.self) { return text }
    var text = String.UnicodeScalarView()
    for byte in bytes {
      text.append(byte < 0x80 ? Unicode.Scalar(byte) : Unicode.Scalar(0x10ff00 + UInt32(byte))!)
    }
    return String(text)
  }

  static func bytes(of text: String) -> [UInt8] {
    let utf8 = Array(text.utf8)
    guard hasStandIn(utf8) else { return utf8 }
    var bytes: [UInt8] = []
    var index = 0
    while index < utf8.count {
      if isStandIn(utf8, at: index) {
        bytes.append(0x80 | (utf8[index + 2] & 1) << 6 | utf8[index + 3] & 0x3f)
        index += 4
      } else {
        bytes.append(utf8[index])
        index += 1
      }
    }
    return bytes
  }

  /// Whether any character of a text may stand for a byte: rarely true, and quick to find out.
  static func mayStandForBytes(_ text: String) -> Bool { text.utf8.contains(lead[0]) }

  private static func hasStandIn(_ utf8: [UInt8]) -> Bool {
    utf8.contains(lead[0]) && utf8.indices.contains { isStandIn(utf8, at: $0) }
  }

  private static func isStandIn(_ utf8: [UInt8], at index: Int) -> Bool {
    index + 3 < utf8.count && utf8[index] == lead[0] && utf8[index + 1] == lead[1] && third.contains(utf8[index + 2])
  }
}
