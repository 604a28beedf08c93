/// A value as it was written, wherever that was.
public indirect enum OptionValue: Hashable, Sendable {
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
}

/// A value with its place.
public struct Located: Hashable, Sendable {
  /// The value.
  public let value: OptionValue
  /// Where it was written.
  public let place: Place

  /// A value of this place.
  public init(_ value: OptionValue, at place: Place) {
    self.value = value
    self.place = place
  }
}

/// A name and its value.
public struct OptionEntry: Hashable, Sendable {
  /// The name.
  public let name: String
  /// Where the name was written.
  public let place: Place
  /// The value.
  public let value: Located

  /// A name with a value.
  public init(_ name: String, at place: Place, _ value: Located) {
    self.name = name
    self.place = place
    self.value = value
  }
}
