/// What the parser must not be given: where the name of a table can't begin as a name does, or a value in an array as a
/// value, it ends the process instead of refusing the text, and so it does where names or values are nested without end.
struct TOMLTraps {
  struct Trap: Equatable {
    let position: TOMLPositions.Position
    /// What should stand there.
    let expected: String
  }

  /// How deep values may be nested, and how many parts a name may have: no option needs more than three.
  private static let maximumDepth = 32

  /// The first; nil if there is none.
  private(set) var first: Trap?

  private let text: [Unicode.Scalar]
  private var offset = 0

  /// Looks at a text. Up to the first place that isn't TOML it is read as the parser reads it; after that it doesn't
  /// matter, since the text is refused either way.
  init(of document: String) {
    text = Array(document.unicodeScalars)
    // The mark of UTF-8, which the parser passes over.
    if next == "\u{feff}" { offset += 1 }
    while offset < text.count, first == nil {
      skip { " \t\r\n".unicodeScalars.contains($0) }
      if next == "[" { header() }
      expression()
    }
  }

  private var next: Unicode.Scalar? { offset < text.count ? text[offset] : nil }

  private mutating func skip(while condition: (Unicode.Scalar) -> Bool) {
    while let scalar = next, condition(scalar) { offset += 1 }
  }

  private mutating func header() {
    skipBracket()
    if next == "[" { skipBracket() }
    // At the end of the text, and at a bracket that closes, the parser itself sees what is wrong.
    guard let scalar = next, scalar != "]", !Self.canBeginName(scalar) else { return }
    trap("the name of a table after '['")
  }

  private mutating func trap(_ expected: String) {
    guard first == nil else { return }
    let before = text[..<offset]
    let line = before.count { $0 == "\n" } + 1
    first = Trap(position: .init(line: line, column: offset - (before.lastIndex(of: "\n") ?? -1)), expected: expected)
  }

  private mutating func skipBracket() {
    offset += 1
    skip { $0 == " " || $0 == "\t" }
  }

  private static func canBeginName(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_", "-", "\"", "'": true
    default: false
    }
  }

  /// Skips to the end of the line that ends it: within brackets, lines go on.
  private mutating func expression() {
    var brackets: [Unicode.Scalar] = []
    var dots = 0
    while let scalar = next, first == nil {
      switch scalar {
      case ".":
        dots += 1
        if dots > Self.maximumDepth { trap("a name of fewer parts") }
        offset += 1
      case "=", ",":
        dots = 0
        offset += 1
      case "\n" where brackets.isEmpty: return
      case "#": skip { $0 != "\n" }
      case "\"", "'": string(scalar)
      case "[", "{":
        dots = 0
        if brackets.count == Self.maximumDepth { trap("less nesting") }
        brackets.append(scalar)
        offset += 1
      case "]", "}":
        if scalar == "}", brackets.last == "[" { trap("a value or ']'") }
        _ = brackets.popLast()
        offset += 1
      case " ", "\t", "\r", "\n": offset += 1
      default:
        // Blanks of other kinds are none to TOML, and the parser is of two minds about them.
        if scalar.properties.isWhitespace { trap("a blank or a tab") }
        offset += 1
      }
    }
  }

  private mutating func string(_ quote: Unicode.Scalar) {
    let isLong = text[offset...].starts(with: [quote, quote, quote])
    offset += isLong ? 3 : 1
    while let scalar = next {
      if isLong, text[offset...].starts(with: [quote, quote, quote]) {
        // Up to two quotes of its own may stand before those that end it.
        return skip { $0 == quote }
      }
      offset += scalar == "\\" && quote == "\"" ? 2 : 1
      if !isLong, scalar == quote || scalar == "\n" { return }
    }
  }
}
