/// A place in a text, which goes on and knows its line and column.
struct TOMLCursor {
  private let text: [Unicode.Scalar]
  private let path: String
  private var offset = 0
  private(set) var line = 1
  private var column = 1

  /// The beginning of a text. The mark that some editors write there isn't part of it.
  init(_ text: String, path: String) {
    self.text = Array(text.unicodeScalars)
    self.path = path
    if next == "\u{feff}" { offset = 1 }
  }

  /// What stands here; nil at the end.
  var next: Unicode.Scalar? { offset < text.count ? text[offset] : nil }

  var place: Place { .file(path, line: line, column: column) }

  /// What stands here, for people.
  var found: String {
    guard let next else { return "the end of the file" }
    if isAtLineEnd { return "the end of the line" }
    let isVisible = (0x20..<0x7f).contains(next.value) || next.properties.isAlphabetic
    let digits = String(next.value, radix: 16, uppercase: true)
    return isVisible ? "'\(next)'" : "U+" + "000\(digits)".dropFirst(min(digits.count - 1, 3))
  }

  func isAt(_ part: String) -> Bool { text[offset...].starts(with: part.unicodeScalars) }

  mutating func advance() {
    column += 1
    if next == "\n" { (line, column) = (line + 1, 1) }
    offset += 1
  }

  /// Goes on if this stands here.
  @discardableResult
  mutating func take(_ part: String) -> Bool {
    guard isAt(part) else { return false }
    for _ in part.unicodeScalars { advance() }
    return true
  }

  /// As much as fits, which may be nothing.
  mutating func take(while condition: (Unicode.Scalar) -> Bool) -> String {
    let start = offset
    while let next, condition(next) { advance() }
    return String(String.UnicodeScalarView(text[start..<offset]))
  }

  var isAtLineEnd: Bool { isAt("\n") || isAt("\r\n") }

  mutating func takeLineEnd() -> Bool { take("\n") || take("\r\n") }

  mutating func skipBlanks() {
    while next == " " || next == "\t" { advance() }
  }
}
