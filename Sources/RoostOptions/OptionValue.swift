/// A value as it was written, wherever that was.
package indirect enum OptionValue: Hashable, Sendable {
  /// A string of a file.
  case string(String)
  case integer(Int)
  case boolean(Bool)
  case array([Located])
  case table([OptionEntry])
  /// What no option takes, such as `a date`.
  case other(String)
  /// A text of the command line, where a number looks like any text.
  case text(String)

  /// What was found, for people.
  var words: String {
    switch self {
    case .string(let string), .text(let string): "\"\(string)\""
    case .integer(let number): "the number \(number)"
    case .boolean(let value): "\(value)"
    case .array: "an array"
    case .table: "a table"
    case .other(let name): name
    }
  }

  /// Whether it is this word, in a file or on the command line.
  func isWord(_ word: String) -> Bool { self == .string(word) || self == .text(word) }

  var isText: Bool { if case .text = self { true } else { false } }

  /// Whether it is a table, or what the command line has for one.
  var isTable: Bool {
    switch self {
    case .table: true
    case .array(let elements): elements.allSatisfy(\.value.isText)
    case .string, .integer, .boolean, .other, .text: false
    }
  }
}

package struct Located: Hashable, Sendable {
  package let value: OptionValue
  package let place: Place

  package init(_ value: OptionValue, at place: Place) {
    self.value = value
    self.place = place
  }

  /// A text `NAME=VALUE` of the command line as an option.
  var assignment: OptionEntry? {
    guard case .text(let text) = value, let equals = text.firstIndex(of: "=") else { return nil }
    let value = Located(.text(String(text[text.index(after: equals)...])), at: place)
    return OptionEntry(String(text[..<equals]), at: place, value)
  }
}

package struct OptionEntry: Hashable, Sendable {
  package let name: String
  /// Where the name was written.
  package let place: Place
  package let value: Located

  package init(_ name: String, at place: Place, _ value: Located) {
    self.name = name
    self.place = place
    self.value = value
  }
}
