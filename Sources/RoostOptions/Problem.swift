/// Where the operator wrote something.
package enum Place: Hashable, Sendable, Comparable {
  /// In a file. Lines and columns count from 1, columns in characters.
  case file(String, line: Int, column: Int)
  /// As a file that can't be read at all.
  case wholeFile(String)
  /// As an option of the command line, such as `--workers`.
  case commandLine(String)

  var isCommandLine: Bool { if case .commandLine = self { true } else { false } }
}

/// Something that can't be used as it was written.
package struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
  package let place: Place
  /// The option, if one is to blame.
  package let option: String?
  /// What was found, and what is allowed.
  package let text: String

  init(_ place: Place, _ option: String?, _ text: String) {
    self.place = place
    self.option = option
    self.text = text
  }

  /// One line for the operator: place, option and text.
  package var description: String {
    let subject = option.map { "\($0): " } ?? ""
    let line =
      switch place {
      case .file(let path, let line, let column): "\(path):\(line):\(column): \(subject)\(text)"
      case .wholeFile(let path): "\(path): \(subject)\(text)"
      // "--limit" says it; "--listen" with the option "listen" needn't say it twice.
      case .commandLine(let name): "\(name): \(name == option.map { "--\($0)" } ? "" : subject)\(text)"
      }
    // Names and values are quoted as they are, and may have anything in them that would reach a terminal.
    let scalars = line.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }
    return String(String.UnicodeScalarView(scalars))
  }
}

/// All that can't be used: an operator wants to see it at once.
package struct Problems: Error, Sendable, CustomStringConvertible {
  /// More tell nobody anything: that file is something else.
  static let most = 100

  /// The first ones, in the order of their places. Not empty.
  package let first: [Problem]
  /// How many there are.
  package let count: Int

  /// Problems, and how many more weren't kept.
  init(_ problems: [Problem], uncounted: Int = 0) {
    // What is read twice is wrong twice, and told once.
    var seen: Set<Problem> = []
    let distinct = problems.filter { seen.insert($0).inserted }
    let sorted = distinct.enumerated().sorted {
      ($0.element.place, $0.offset) < ($1.element.place, $1.offset)
    }.map(\.element)
    count = sorted.count + uncounted
    first = Array(sorted.prefix(Self.most))
  }

  /// Whether only the command line is to blame.
  package var areUsage: Bool { first.allSatisfy(\.place.isCommandLine) }

  package var lines: [String] {
    first.map(\.description) + (count > first.count ? ["and \(count - first.count) more"] : [])
  }

  package var description: String { lines.joined(separator: "\n") }
}
