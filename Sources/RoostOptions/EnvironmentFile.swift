import Foundation
import RoostHandoff

/// A file of lines `NAME=value`, as `EnvironmentFile=` of systemd.exec(5) takes it: comments begin with `#` or `;`, a
/// backslash at the end of a line continues it, quotes around a value, and no expansion of variables. Differs from it where
/// it would pass over a mistake in silence: that is told, without what stands there, which may be secret.
enum EnvironmentFile {
  /// Reads a file. A missing one is empty if it is optional.
  static func read(
    _ path: String, isOptional: Bool, from place: Place
  ) throws(Problems) -> [(name: String, value: String)] {
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      if isOptional, access(path, F_OK) != 0, errno == ENOENT { return [] }
      _ = fopen(path, "re").map(fclose)
      let reason = String(cString: strerror(errno))
      throw Problems([Problem(place, "environment-file", "\(path) cannot be read: \(reason)")])
    }
    guard let text = String(data: data, encoding: .utf8), !text.unicodeScalars.contains("\0") else {
      throw Problems([Problem(.wholeFile(path), nil, "isn't UTF-8 text")])
    }
    return try parse(text, path: path)
  }

  static func parse(_ text: String, path: String) throws(Problems) -> [(name: String, value: String)] {
    var parser = Parser(text: Array(text.unicodeScalars), path: path)
    let assignments = parser.assignments()
    guard parser.problems.isEmpty else { throw Problems(parser.problems) }
    return assignments
  }

  /// What is wrong with a variable's name, if anything is.
  static func problem(withName name: String) -> String? {
    guard isName(name.unicodeScalars) else { return "'\(name)' is no name of a variable: \(nameRule)" }
    if WorkerEnvironment.isPrivateToMaster(name) { return "'\(name)' is set by Roost itself for each worker" }
    return nil
  }

  private static let nameRule = "use letters, digits and '_', not beginning with a digit"

  private static func isName(_ name: String.UnicodeScalarView) -> Bool {
    guard let first = name.first, !first.isDigit else { return false }
    return name.allSatisfy { $0 == "_" || ($0.isASCII && $0.properties.isAlphabetic) || $0.isDigit }
  }

  private struct Parser {
    let text: [Unicode.Scalar]
    let path: String
    var offset = 0
    var line = 1
    var problems: [Problem] = []

    var next: Unicode.Scalar? { offset < text.count ? text[offset] : nil }

    mutating func take() -> Unicode.Scalar? {
      guard let scalar = next else { return nil }
      offset += 1
      if scalar == "\n" { line += 1 }
      return scalar
    }

    mutating func assignments() -> [(name: String, value: String)] {
      var assignments: [(name: String, value: String)] = []
      while let scalar = next {
        switch scalar {
        case " ", "\t", "\n", "\r": _ = take()
        case "#", ";": skipLine()
        default: if let assignment = assignment() { assignments.append(assignment) }
        }
      }
      return assignments
    }

    mutating func skipLine() {
      while let scalar = take(), scalar != "\n" {}
    }

    mutating func problem(_ text: String, at line: Int) {
      problems.append(Problem(.file(path, line: line, column: 1), nil, text))
    }

    mutating func assignment() -> (name: String, value: String)? {
      let start = line
      var name = String.UnicodeScalarView()
      while let scalar = next, scalar != "=", !Self.isNewline(scalar) {
        name.append(scalar)
        _ = take()
      }
      // Without what was found: it may be part of a secret.
      guard next == "=" else {
        problem("expected NAME=value", at: start)
        return nil
      }
      _ = take()
      while let last = name.last, last == " " || last == "\t" { name.removeLast() }
      guard EnvironmentFile.isName(name) else {
        problem("expected NAME=value with a name of a variable: \(EnvironmentFile.nameRule)", at: start)
        skipLine()
        return nil
      }
      if let text = EnvironmentFile.problem(withName: String(name)) {
        problem(text, at: start)
        skipLine()
        return nil
      }
      return value(start).map { (String(name), $0) }
    }

    /// Quotes count only where the value begins, and where its next part begins after a closing quote.
    mutating func value(_ start: Int) -> String? {
      var value = String.UnicodeScalarView()
      while let scalar = next {
        switch scalar {
        case " ", "\t": _ = take()
        case "'", "\"":
          _ = take()
          guard let quoted = quoted(scalar) else {
            problem("the quote \(scalar) is never closed", at: start)
            return nil
          }
          value += quoted
        default: return String(value + unquoted())
        }
      }
      return String(value)
    }

    /// Up to the end of the line, without the blanks there unless they were escaped.
    mutating func unquoted() -> String.UnicodeScalarView {
      var value = String.UnicodeScalarView()
      var blanks = String.UnicodeScalarView()
      while let scalar = take(), !Self.isNewline(scalar) {
        if scalar == " " || scalar == "\t" {
          blanks.append(scalar)
          continue
        }
        value += blanks
        blanks = String.UnicodeScalarView()
        guard scalar == "\\" else {
          value.append(scalar)
          continue
        }
        if let escaped = take(), !Self.isNewline(escaped) { value.append(escaped) }
      }
      return value
    }

    static func isNewline(_ scalar: Unicode.Scalar) -> Bool { scalar == "\n" || scalar == "\r" }

    mutating func quoted(_ quote: Unicode.Scalar) -> String.UnicodeScalarView? {
      var value = String.UnicodeScalarView()
      while let scalar = take() {
        if scalar == quote { return value }
        guard scalar == "\\", quote == "\"", let escaped = take() else {
          value.append(scalar)
          continue
        }
        switch escaped {
        case "\n": break
        case "\"", "\\", "`", "$": value.append(escaped)
        default: value += ["\\", escaped]
        }
      }
      return nil
    }
  }
}

extension Unicode.Scalar {
  fileprivate var isDigit: Bool { ("0"..."9").contains(self) }
}
