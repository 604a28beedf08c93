/// Checks of single values. What isn't there is always good.
enum Check {
  static func range(
    _ name: String, _ value: Int?, _ range: ClosedRange<Int>, _ unit: String = ""
  ) throws(ConfigurationError) {
    guard let value, !range.contains(value) else { return }
    throw ConfigurationError("'\(name)' is \(value)\(unit), expected \(range.text)\(unit)")
  }

  static func duration(
    _ name: String, _ value: Duration?, from shortest: Duration = .zero
  ) throws(ConfigurationError) {
    let allowed = shortest.wholeMilliseconds...Limits.longestDuration.wholeMilliseconds
    try range(name, value?.wholeMilliseconds, allowed, " ms")
  }

  static func path(_ name: String, _ value: String?) throws(ConfigurationError) {
    guard value?.utf8.first ?? UInt8(ascii: "/") == UInt8(ascii: "/"), value != "" else {
      throw ConfigurationError("'\(name)' is no absolute path")
    }
  }

  /// A program and its arguments.
  static func command(_ name: String, _ value: [String]?) throws(ConfigurationError) {
    guard let value else { return }
    guard value.first?.isEmpty == false else { throw ConfigurationError("'\(name)' names no program") }
  }

  /// The id of a user or a group.
  static func identifier(_ name: String, _ value: UInt32?) throws(ConfigurationError) {
    try range(name, value.map { Int($0) }, Limits.identifier)
  }
}
