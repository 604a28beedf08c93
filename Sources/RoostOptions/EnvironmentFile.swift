import Foundation
import RoostHandoff

/// A file of lines `NAME=value`, as `EnvironmentFile=` of systemd.exec(5) takes it: comments begin with `#` or `;`, a
/// backslash at the end of a line continues it, quotes as in a shell, and no expansion of variables.
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
    let isWord = name.unicodeScalars.allSatisfy {
      $0 == "_" || ($0.isASCII && $0.properties.isAlphabetic) || $0.isDigit
    }
    guard isWord, let first = name.unicodeScalars.first, !first.isDigit else {
      return "'\(name)' is no name of a variable: use letters, digits and '_', not beginning with a digit"
    }
    if WorkerEnvironment.isPrivateToMaster(name) { return "'\(name)' is set by Roost itself for each worker" }
    return nil
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
      var name = ""
      while let scalar = next, scalar != "=", scalar != "\n" {
        name.unicodeScalars.append(scalar)
        _ = take()
      }
      guard next == "=" else {
        problem("found '\(name)', expected NAME=value", at: start)
        return nil
      }
      _ = take()
      if let text = EnvironmentFile.problem(withName: name) {
        problem(text, at: start)
        skipLine()
        return nil
      }
      return value(start).map { (name, $0) }
    }

    mutating func value(_ start: Int) -> String? {
      var value = String.UnicodeScalarView()
      // Blanks at the end don't belong to the value, unless they were quoted.
      var blanks = String.UnicodeScalarView()
      while let scalar = next, scalar == " " || scalar == "\t" { _ = take() }
      while let scalar = take(), scalar != "\n" {
        switch scalar {
        case " ", "\t", "\r":
          blanks.append(scalar)
          continue
        case "'", "\"":
          value += blanks
          guard let quoted = quoted(scalar) else {
            problem("the quote \(scalar) is never closed", at: start)
            return nil
          }
          value += quoted
        case "\\":
          value += blanks
          if let escaped = take(), escaped != "\n" { value.append(escaped) }
        default:
          value += blanks
          value.append(scalar)
        }
        blanks = String.UnicodeScalarView()
      }
      return String(value)
    }

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
