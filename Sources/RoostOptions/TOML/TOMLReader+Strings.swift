extension TOMLReader {
  /// A string of any of the four kinds; of those in one line if it is a name.
  mutating func string(isName: Bool = false) throws(Problems) -> String {
    let place = cursor.place
    let quote = cursor.isAt("'") ? "'" : "\""
    let long = quote + quote + quote
    let isLong = !isName && cursor.isAt(long)
    let end = isLong ? long : quote
    cursor.take(end)
    // The end of the line in which a long one begins isn't part of it.
    if isLong { _ = cursor.takeLineEnd() }
    var text = ""
    while !cursor.take(end) {
      if quote == "\"", cursor.isAt("\\") {
        text += try escape(isLong: isLong)
      } else if isLong, cursor.takeLineEnd() {
        text += "\n"
      } else if let next = cursor.next, !Self.isControl(next) {
        text.unicodeScalars.append(next)
        cursor.advance()
      } else if cursor.next == nil || cursor.isAtLineEnd {
        throw Self.problem("the string that begins here has no end", at: place)
      } else {
        throw expected("no control character in a string")
      }
    }
    // Up to two quotes of its own may stand before those that end it.
    for _ in 0..<2 where isLong && cursor.take(quote) { text += quote }
    return text
  }

  private mutating func escape(isLong: Bool) throws(Problems) -> String {
    let place = cursor.place
    cursor.take("\\")
    let (next, found) = (cursor.next, cursor.found)
    if isLong {
      cursor.skipBlanks()
      // At the end of a line it takes away all blanks and ends of lines that follow.
      if cursor.takeLineEnd() {
        repeat { cursor.skipBlanks() } while cursor.takeLineEnd()
        return ""
      }
    }
    cursor.advance()
    if next == "u" || next == "U" { return try scalar(digits: next == "u" ? 4 : 8, at: place) }
    let characters: [Unicode.Scalar?: String] = [
      "b": "\u{8}", "t": "\t", "n": "\n", "f": "\u{c}", "r": "\r", "\"": "\"", "\\": "\\",
    ]
    if let character = characters[next] { return character }
    throw Self.problem(
      "'\\' means nothing before \(found): write '\\\\', or put the string into single quotes", at: place)
  }

  private mutating func scalar(digits: Int, at place: Place) throws(Problems) -> String {
    var rest = digits
    let text = cursor.take { next in
      rest -= 1
      return rest >= 0 && next.properties.isASCIIHexDigit
    }
    guard text.utf8.count == digits, let scalar = UInt32(text, radix: 16).flatMap(Unicode.Scalar.init) else {
      throw Self.problem("expected a character by its number, of \(digits) hexadecimal digits", at: place)
    }
    // No argument and no variable can contain it.
    guard scalar != "\0" else { throw Problems([Problem(place, nil, "contains a NUL character")]) }
    return String(scalar)
  }
}
