/// What the files in /proc are made of. Bytes, not characters: tables of Unicode would stay in the master's memory.
extension ArraySlice<UInt8> {
  /// The lines, without their ends.
  package var lines: [ArraySlice<UInt8>] { split(separator: UInt8(ascii: "\n")) }

  /// The words, without the blanks between them.
  package var words: [ArraySlice<UInt8>] {
    split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\n") }
  }

  /// What follows a prefix; nil if it isn't there.
  package func after(_ prefix: StaticString) -> ArraySlice<UInt8>? {
    let count = prefix.utf8CodeUnitCount
    let bytes = UnsafeBufferPointer(start: prefix.utf8Start, count: count)
    return starts(with: bytes) ? dropFirst(count) : nil
  }

  /// The number that all these digits make; nil if they aren't all digits, or if it has more than 64 bits.
  package func number(radix: UInt64) -> UInt64? {
    guard !isEmpty else { return nil }
    var number: UInt64 = 0
    for byte in self {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      default: return nil
      }
      let (shifted, tooLarge) = number.multipliedReportingOverflow(by: radix)
      let (sum, overflow) = shifted.addingReportingOverflow(UInt64(digit))
      guard digit < radix, !tooLarge, !overflow else { return nil }
      number = sum
    }
    return number
  }
}
