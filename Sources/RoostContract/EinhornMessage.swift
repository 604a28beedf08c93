/// A message of an einhorn client: one line of JSON, or of YAML whose ends of lines are escaped as `%0A`.
package enum EinhornMessage: Hashable, Sendable {
  /// This process is ready.
  case acknowledgement(pid: Int32)

  /// The longest line that is read.
  package static let maximumLength = 1024

  /// Reads a line without its end; nil for what is no acknowledgement. Only the two members are looked for, whichever
  /// way they are written: `{"command":"worker:ack", "pid":1}` as well as `---%0Acommand: worker:ack%0Apid: 1%0A`.
  package init?(parsing line: ArraySlice<UInt8>) {
    guard line.count <= Self.maximumLength else { return nil }
    let words = Self.words(in: Self.unescaped(line))
    guard let command = Self.value(of: "command", in: words), command.elementsEqual("worker:ack".utf8),
      let pid = Self.value(of: "pid", in: words).flatMap(Self.number)
    else { return nil }
    self = .acknowledgement(pid: pid)
  }

  /// `%XX` stands for a byte, as in a URI.
  private static func unescaped(_ line: ArraySlice<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = line
    while let byte = rest.first {
      rest = rest.dropFirst()
      if byte == UInt8(ascii: "%"), let high = rest.first.flatMap(digit),
        let low = rest.dropFirst().first.flatMap(digit)
      {
        bytes.append(high << 4 | low)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return bytes
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// What stands between blanks, quotes, braces and commas. A colon belongs to a word that goes on after it.
  private static func words(in text: [UInt8]) -> [ArraySlice<UInt8>] {
    text.split { "{}\"', \t\r\n".utf8.contains($0) }.flatMap { word in
      // `"pid":1` has lost its quotes by now, and a key may have its colon, or the value may.
      word.first == UInt8(ascii: ":") ? [word.dropFirst()] : [word]
    }.filter { !$0.isEmpty }
  }

  private static func value(of name: String, in words: [ArraySlice<UInt8>]) -> ArraySlice<UInt8>? {
    for (index, word) in words.enumerated() {
      let bare = word.last == UInt8(ascii: ":") ? word.dropLast() : word
      if bare.elementsEqual(name.utf8), words.indices.contains(index + 1) { return words[index + 1] }
    }
    return nil
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int32? {
    guard (1...9).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int32($1 - 0x30) }
  }
}
