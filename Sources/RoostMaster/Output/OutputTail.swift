/// The end of what a process has written.
struct OutputTail {
  private static let capacity = 4096
  private static let maximumLines = 10
  private static let maximumLength = 400

  private(set) var bytes: [UInt8] = []

  init(_ bytes: [UInt8] = []) {
    self.bytes = bytes
  }

  mutating func append(_ part: ArraySlice<UInt8>) {
    bytes += part.suffix(Self.capacity)
    if bytes.count > Self.capacity * 2 { bytes.removeFirst(bytes.count - Self.capacity) }
  }

  /// Its last lines that aren't empty, as text that is harmless to a terminal.
  var lines: [String] {
    bytes.suffix(Self.capacity).split(separator: UInt8(ascii: "\n")).suffix(Self.maximumLines).map { line in
      var text = String.UnicodeScalarView()
      for scalar in String(decoding: line.prefix(Self.maximumLength), as: UTF8.self).unicodeScalars
      where scalar == "\t" || (scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value)) {
        text.append(scalar)
      }
      return String(text)
    }
  }
}
