import RoostConfiguration

/// A file of lines `NAME=value`, as `EnvironmentFile=` of systemd.exec(5) takes it: comments begin with `#` or `;`, a
/// backslash at the end of a line continues it, quotes around a value, and no expansion of variables. Differs from it where
/// it would pass over a mistake in silence: that is told, without what stands there, which may be secret.
enum EnvironmentFile {
  /// More than any process can be given (execve(2)), comments included.
  private static let maximumLength = 16 << 20

  /// Reads a file. A missing one is empty if it is optional.
  static func read(
    _ file: InputFile, isOptional: Bool, from place: Place
  ) throws(Problems) -> [(name: String, value: String)] {
    let bytes: [UInt8]
    do {
      bytes = try file.bytes(atMost: maximumLength)
    } catch {
      if isOptional, error.isMissing { return [] }
      throw Problems([Problem(place, "environment-file", "\(file.path) \(error.text)")])
    }
    return try parse(try Text.checked(bytes, path: file.path), path: file.path)
  }

  static func parse(_ text: String, path: String) throws(Problems) -> [(name: String, value: String)] {
    var parser = Parser(text: Array(text.utf8), path: path)
    let assignments = parser.assignments()
    guard parser.problems.isEmpty else { throw Problems(parser.problems, uncounted: parser.uncounted) }
    return assignments
  }

  /// By bytes: all that has a meaning is ASCII, and a value may be long.
  private struct Parser {
    let text: [UInt8]
    let path: String
    var offset = 0
    var line = 1
    var problems: [Problem] = []
    /// How many there are beside these.
    var uncounted = 0

    var next: UInt8? { offset < text.count ? text[offset] : nil }

    mutating func take() -> UInt8? {
      guard let byte = next else { return nil }
      offset += 1
      if byte == Byte.lineFeed { line += 1 }
      return byte
    }

    mutating func assignments() -> [(name: String, value: String)] {
      var assignments: [(name: String, value: String)] = []
      while let byte = next {
        switch byte {
        case Byte.space, Byte.tab, Byte.lineFeed, Byte.carriageReturn: _ = take()
        case UInt8(ascii: "#"), UInt8(ascii: ";"): skipLine()
        default: if let assignment = assignment() { assignments.append(assignment) }
        }
      }
      return assignments
    }

    mutating func skipLine() {
      while let byte = take(), byte != Byte.lineFeed {}
    }

    /// Says what is wrong, in whose place there is nothing.
    mutating func problem<R>(_ text: String, at line: Int) -> R? {
      if problems.count < Problems.most {
        problems.append(Problem(.file(path, line: line, column: 1), nil, text))
      } else {
        uncounted += 1
      }
      return nil
    }

    mutating func assignment() -> (name: String, value: String)? {
      let start = line
      let begin = offset
      while let byte = next, byte != Byte.equals, !Byte.isNewline(byte) { offset += 1 }
      // Without what was found: it may be part of a secret.
      guard next == Byte.equals else { return problem("expected NAME=value", at: start) }
      var bytes = text[begin..<offset]
      _ = take()
      while let last = bytes.last, Byte.isBlank(last) { bytes.removeLast() }
      guard VariableName.isOne(bytes) else {
        skipLine()
        return problem("expected NAME=value with a name of a variable: \(VariableName.rule)", at: start)
      }
      let name = String(decoding: bytes, as: UTF8.self)
      if let text = VariableName.problem(with: name) {
        skipLine()
        return problem(text, at: start)
      }
      guard let value = value(start) else { return nil }
      if let text = Limits.problem(withArgumentOf: name.utf8.count + 1 + value.utf8.count) {
        return problem("the variable '\(name)' \(text)", at: start)
      }
      return (name, value)
    }

    /// Quotes count only where the value begins, and where its next part begins after a closing quote.
    mutating func value(_ start: Int) -> String? {
      var value: [UInt8] = []
      scan: while let byte = next {
        switch byte {
        case Byte.space, Byte.tab: _ = take()
        case UInt8(ascii: "'"), UInt8(ascii: "\""):
          _ = take()
          guard addQuoted(byte, to: &value) else {
            return problem("the quote \(Unicode.Scalar(byte)) is never closed", at: start)
          }
        default:
          addUnquoted(to: &value)
          break scan
        }
      }
      return String(decoding: value, as: UTF8.self)
    }

    /// Up to the end of the line, without the blanks there unless they were escaped.
    mutating func addUnquoted(to value: inout [UInt8]) {
      var end = value.count
      while let byte = take(), !Byte.isNewline(byte) {
        if byte == Byte.backslash {
          if let escaped = take(), !Byte.isNewline(escaped) { value.append(escaped) }
          end = value.count
          continue
        }
        value.append(byte)
        if !Byte.isBlank(byte) { end = value.count }
      }
      value.removeSubrange(end...)
    }

    /// Whether the quote is closed.
    mutating func addQuoted(_ quote: UInt8, to value: inout [UInt8]) -> Bool {
      while let byte = take() {
        if byte == quote { return true }
        guard byte == Byte.backslash, quote == UInt8(ascii: "\""), let escaped = take() else {
          value.append(byte)
          continue
        }
        switch escaped {
        case Byte.lineFeed: break
        case UInt8(ascii: "\""), Byte.backslash, UInt8(ascii: "`"), UInt8(ascii: "$"): value.append(escaped)
        default: value += [Byte.backslash, escaped]
        }
      }
      return false
    }
  }
}

private enum Byte {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0a
  static let carriageReturn: UInt8 = 0x0d
  static let space: UInt8 = 0x20
  static let equals = UInt8(ascii: "=")
  static let backslash = UInt8(ascii: "\\")

  static func isNewline(_ byte: UInt8) -> Bool { byte == lineFeed || byte == carriageReturn }
  static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }
}
