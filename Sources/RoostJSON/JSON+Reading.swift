extension JSON {
  /// Why a text isn't accepted, and at which byte.
  package struct Malformed: Error, Equatable {
    package let expected: String
    /// The number of bytes before the place.
    package let offset: Int
  }

  /// How deeply arrays and objects may be nested: the reader recurses, and its text may come from anybody.
  static let maximumDepth = 32
  /// How many names an object may have: each is compared with all before it.
  static let maximumMembers = 256

  /// What becomes of a number that no `Int` can be.
  package enum OtherNumbers: Sendable {
    /// The text isn't accepted.
    case refused
    /// A string with its digits: who wants a number refuses it, and who doesn't know its name passes over it.
    case strings
  }

  /// Reads one value and nothing after it but white space. Strict: no comments, no trailing commas, no duplicate names.
  package init(parsing bytes: some Collection<UInt8>, otherNumbers: OtherNumbers = .refused) throws(Malformed) {
    var reader = Reader(bytes: Array(bytes), otherNumbers: otherNumbers)
    self = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.offset == reader.bytes.count else { throw reader.expected("the end") }
  }
}

private struct Reader {
  let bytes: [UInt8]
  let otherNumbers: JSON.OtherNumbers
  var offset = 0

  var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  func expected(_ what: String) -> JSON.Malformed { JSON.Malformed(expected: what, offset: offset) }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { offset += 1 }
  }

  /// Skips the byte if it is the next one after white space.
  mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  mutating func value(depth: Int) throws(JSON.Malformed) -> JSON {
    guard depth < JSON.maximumDepth else { throw expected("less nesting") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func word(_ word: String, _ value: JSON) throws(JSON.Malformed) -> JSON {
    guard bytes[offset...].starts(with: word.utf8) else { throw expected(word) }
    offset += word.utf8.count
    return value
  }

  private mutating func number() throws(JSON.Malformed) -> JSON {
    let start = offset
    if next == UInt8(ascii: "-") { offset += 1 }
    let digits = offset
    skipDigits()
    let hasLeadingZero = offset - digits > 1 && bytes[digits] == 0x30
    guard offset > digits, !hasLeadingZero else {
      offset = start
      throw expected("a value")
    }
    let end = offset
    try skipFraction()
    if offset == end, let value = Int(String(decoding: bytes[start..<end], as: UTF8.self)) { return .integer(value) }
    switch otherNumbers {
    case .strings: return .string(String(decoding: bytes[start..<offset], as: UTF8.self))
    case .refused:
      let isWhole = offset == end
      offset = isWhole ? start : end
      throw expected(isWhole ? "a value" : "a whole number")
    }
  }

  private mutating func skipDigits() {
    while let byte = next, (0x30...0x39).contains(byte) { offset += 1 }
  }

  private mutating func skipFraction() throws(JSON.Malformed) {
    func isNext(_ characters: Unicode.Scalar...) -> Bool { characters.contains { next == UInt8(ascii: $0) } }
    if isNext(".") {
      offset += 1
      try skipSomeDigits()
    }
    if isNext("e", "E") {
      offset += 1
      if isNext("+", "-") { offset += 1 }
      try skipSomeDigits()
    }
  }

  private mutating func skipSomeDigits() throws(JSON.Malformed) {
    let start = offset
    skipDigits()
    if offset == start { throw expected("a digit") }
  }

  private mutating func array(depth: Int) throws(JSON.Malformed) -> JSON {
    offset += 1
    if take("]") { return .array([]) }
    var elements: [JSON] = []
    repeat { elements.append(try value(depth: depth + 1)) } while take(",")
    guard take("]") else { throw expected("',' or ']'") }
    return .array(elements)
  }

  private mutating func object(depth: Int) throws(JSON.Malformed) -> JSON {
    offset += 1
    if take("}") { return .object([]) }
    var members: [JSON.Member] = []
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw expected("a name") }
      let name = try string()
      guard !members.contains(where: { $0.name == name }) else { throw expected("each name once") }
      guard members.count < JSON.maximumMembers else { throw expected("fewer names") }
      guard take(":") else { throw expected("':'") }
      members.append(JSON.Member(name, try value(depth: depth + 1)))
    } while take(",")
    guard take("}") else { throw expected("',' or '}'") }
    return .object(members)
  }

  private mutating func string() throws(JSON.Malformed) -> String {
    offset += 1
    var content: [UInt8] = []
    while let byte = next, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else { throw expected("an escaped control character") }
      offset += 1
      if byte == UInt8(ascii: "\\") {
        content += try escape().utf8
      } else {
        content.append(byte)
      }
    }
    guard let string = String(validating: content, as: UTF8.self) else { throw expected("UTF-8") }
    guard next != nil else { throw expected("'\"'") }
    offset += 1
    return string
  }

  private mutating func escape() throws(JSON.Malformed) -> String {
    guard let byte = next else { throw expected("an escape") }
    offset += 1
    switch Unicode.Scalar(byte) {
    case "\"", "\\", "/": return String(Unicode.Scalar(byte))
    case "b": return "\u{8}"
    case "f": return "\u{c}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "u": return try unicodeEscape()
    default: throw expected("an escape")
    }
  }

  private mutating func unicodeEscape() throws(JSON.Malformed) -> String {
    let first = try codeUnit()
    guard UTF16.isLeadSurrogate(first) else {
      guard let scalar = Unicode.Scalar(first) else { throw expected("no lone surrogate") }
      return String(scalar)
    }
    guard bytes[offset...].starts(with: "\\u".utf8) else { throw expected("no lone surrogate") }
    offset += 2
    let second = try codeUnit()
    guard UTF16.isTrailSurrogate(second) else { throw expected("no lone surrogate") }
    return String(decoding: [first, second], as: UTF16.self)
  }

  private mutating func codeUnit() throws(JSON.Malformed) -> UInt16 {
    let digits = bytes[offset...].prefix(4)
    // UInt16.init would take a sign.
    let areHexadecimal = digits.allSatisfy { Unicode.Scalar($0).properties.isASCIIHexDigit }
    guard digits.count == 4, areHexadecimal, let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw expected("four hexadecimal digits") }
    offset += 4
    return unit
  }
}
