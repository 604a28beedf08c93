/// Reads TOML 1.0 (https://toml.io/en/v1.0.0) into values that know their places. Numbers with a fraction, dates and
/// times are only seen to be such: no option takes one. Why this isn't a library: docs/decisions/0036-toml.md.
struct TOMLReader {
  /// Levels of nesting, and parts of a name: the reader recurses, and no option needs more than three.
  static let maximumDepth = 32

  var cursor: TOMLCursor

  /// What stands in a text, in its order.
  static func entries(of text: String, path: String) throws(Problems) -> [OptionEntry] {
    var reader = TOMLReader(cursor: TOMLCursor(text, path: path))
    return try reader.document()
  }

  static func problem(_ text: String, at place: Place) -> Problems {
    Problems([Problem(place, nil, "this isn't TOML: \(text)")])
  }

  func expected(_ what: String) -> Problems {
    Self.problem("expected \(what), found \(cursor.found)", at: cursor.place)
  }

  private mutating func document() throws(Problems) -> [OptionEntry] {
    let root = TOMLTable(.head, at: cursor.place)
    var table = root
    try skipLines()
    while cursor.next != nil {
      if cursor.isAt("[") {
        table = try head(in: root)
      } else {
        try member(of: table, depth: 0, "the name of an option")
      }
      let line = cursor.line
      try skipLines()
      guard cursor.next == nil || cursor.line > line else { throw expected("the end of the line") }
    }
    return root.entries
  }

  /// Blanks, comments, and ends of lines.
  mutating func skipLines() throws(Problems) {
    repeat {
      cursor.skipBlanks()
      guard cursor.isAt("#") else { continue }
      _ = cursor.take { !Self.isControl($0) }
      guard cursor.next == nil || cursor.isAtLineEnd else { throw expected("no control character in a comment") }
    } while cursor.takeLineEnd()
  }

  /// What comments and strings can't contain.
  static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 && scalar != "\t" || scalar.value == 0x7f
  }

  /// `[a.b]` or `[[a.b]]`: the table that the following lines are about.
  private mutating func head(in root: TOMLTable) throws(Problems) -> TOMLTable {
    let place = cursor.place
    let isElement = cursor.take("[[")
    if !isElement { cursor.take("[") }
    let names = try names("the name of a table")
    let end = isElement ? "]]" : "]"
    guard cursor.take(end) else { throw expected("'\(end)' after the name of a table") }
    var table = root
    for (name, _) in names.dropLast() { table = try table.table(name, as: .way, at: place) }
    return try table.table(names.last!.text, as: isElement ? .element : .head, at: place)
  }

  /// `a.b = 1`, with the blanks around it.
  mutating func member(of table: TOMLTable, depth: Int, _ what: String) throws(Problems) {
    var names = try names(what)
    let (last, place) = names.removeLast()
    guard cursor.take("=") else { throw expected("'=' after '\(last)'") }
    cursor.skipBlanks()
    let value = try value(depth: depth + names.count)
    cursor.skipBlanks()
    var table = table
    for (name, place) in names { table = try table.table(name, as: .dots, at: place) }
    try table.add(value, as: last, at: place)
  }

  /// `a."b c".d`, with the blanks around it.
  private mutating func names(_ what: String) throws(Problems) -> [(text: String, place: Place)] {
    var names: [(String, Place)] = []
    repeat {
      guard names.count < Self.maximumDepth else { throw expected("a name of fewer parts") }
      cursor.skipBlanks()
      let place = cursor.place
      let isQuoted = cursor.isAt("\"") || cursor.isAt("'")
      let name = isQuoted ? try string(isName: true) : cursor.take(while: Self.isOfName)
      guard isQuoted || !name.isEmpty else { throw expected(what) }
      names.append((name, place))
      cursor.skipBlanks()
    } while cursor.take(".")
    return names
  }

  static func isOfName(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
    default: false
    }
  }
}
