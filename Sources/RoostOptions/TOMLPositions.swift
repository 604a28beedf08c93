/// Where each key and value of a TOML document stands. The parser has checked the document and knows its values, but
/// not their places.
struct TOMLPositions {
  /// A step on the way to a value.
  enum Step: Hashable {
    case key(String)
    case index(Int)
  }

  struct Position: Hashable {
    var line: Int
    var column: Int
  }

  /// Where the name of a value begins.
  private(set) var names: [[Step]: Position] = [:]
  /// Where a value begins.
  private(set) var values: [[Step]: Position] = [:]

  private let text: [Unicode.Scalar]
  private var offset = 0
  private var position = Position(line: 1, column: 1)
  /// How many tables each array of tables has so far.
  private var tableCounts: [[Step]: Int] = [:]

  /// The positions in a document, which must be valid.
  init(of document: String) {
    text = Array(document.unicodeScalars)
    scan()
  }

  private var next: Unicode.Scalar? { offset < text.count ? text[offset] : nil }

  private mutating func advance(_ count: Int = 1) {
    for _ in 0..<count {
      guard let scalar = next else { return }
      offset += 1
      if scalar == "\n" { position = Position(line: position.line + 1, column: 1) } else { position.column += 1 }
    }
  }

  private func isAt(_ word: String) -> Bool { text[offset...].starts(with: word.unicodeScalars) }

  private mutating func skipBlanks() {
    while let scalar = next, scalar == " " || scalar == "\t" { advance() }
  }

  /// Between expressions, and within arrays.
  private mutating func skipSpaceAndComments() {
    while let scalar = next {
      switch scalar {
      case " ", "\t", "\n", "\r": advance()
      case "#": while let scalar = next, scalar != "\n" { _ = scalar; advance() }
      default: return
      }
    }
  }

  private mutating func scan() {
    var table: [Step] = []
    while true {
      skipSpaceAndComments()
      guard next != nil else { return }
      let before = offset
      table = next == "[" ? header() : entry(in: table)
      // The document is valid; if this reader knew less than the parser it mustn't hang.
      if offset == before { advance() }
    }
  }

  private mutating func header() -> [Step] {
    let start = position
    let isArray = isAt("[[")
    advance(isArray ? 2 : 1)
    skipBlanks()
    var path = key(in: [], record: start)
    advance(isArray ? 2 : 1)
    if isArray {
      let index = tableCounts[path, default: 0]
      tableCounts[path] = index + 1
      path.append(.index(index))
    }
    values[path] = values[path] ?? start
    return path
  }

  private mutating func entry(in table: [Step]) -> [Step] {
    let path = key(in: table, record: nil)
    skipBlanks()
    advance()  // =
    skipBlanks()
    value(path)
    return table
  }

  /// Reads `a.b."c"`. A table that is the last of an array of tables so far is entered.
  private mutating func key(in table: [Step], record header: Position?) -> [Step] {
    var path = table
    while true {
      skipBlanks()
      let start = position
      if let count = tableCounts[path], count > 0 { path.append(.index(count - 1)) }
      path.append(.key(keyPart()))
      if names[path] == nil { names[path] = header ?? start }
      skipBlanks()
      guard next == "." else { return path }
      advance()
    }
  }

  private mutating func keyPart() -> String {
    if next == "\"" || next == "'" { return string() }
    var part = String.UnicodeScalarView()
    while let scalar = next, !" \t.=]\n".unicodeScalars.contains(scalar) {
      part.append(scalar)
      advance()
    }
    return String(part)
  }

  private mutating func value(_ path: [Step]) {
    values[path] = position
    switch next {
    case "\"", "'": _ = string()
    case "[": array(path)
    case "{": inlineTable(path)
    default: while let scalar = next, !",]}#\n".unicodeScalars.contains(scalar) { _ = scalar; advance() }
    }
  }

  private mutating func array(_ path: [Step]) {
    advance()
    var index = 0
    while true {
      skipSpaceAndComments()
      guard let scalar = next else { return }
      switch scalar {
      case "]": return advance()
      case ",": advance()
      default:
        let before = offset
        value(path + [.index(index)])
        index += 1
        if offset == before { advance() }
      }
    }
  }

  private mutating func inlineTable(_ path: [Step]) {
    advance()
    while true {
      skipSpaceAndComments()
      guard let scalar = next else { return }
      switch scalar {
      case "}": return advance()
      case ",": advance()
      default:
        let before = offset
        _ = entry(in: path)
        if offset == before { advance() }
      }
    }
  }

  /// Skips a string, and returns its content as far as keys need it: escapes are only told apart from the end.
  private mutating func string() -> String {
    let quote = next!
    let triple = String(repeating: String(quote), count: 3)
    let isLong = isAt(triple)
    advance(isLong ? 3 : 1)
    var content = String.UnicodeScalarView()
    while let scalar = next {
      if isLong ? isAt(triple) : scalar == quote {
        advance(isLong ? 3 : 1)
        // A long string may end with quotes of its own.
        while isLong, next == quote { advance() }
        return String(content)
      }
      if scalar == "\\", quote == "\"" { advance() }
      if let scalar = next { content.append(scalar) }
      advance()
    }
    return String(content)
  }
}
