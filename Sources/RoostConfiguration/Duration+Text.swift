import RoostCore

/// Durations as people write them: `500ms`, `30s`, `2m`, `1h`, `1m30s`.
extension Duration {
  private static let units: [(name: String, milliseconds: Int)] = [
    ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
  ]

  /// The duration that a text like `1m30s` stands for. A number needs its unit, apart from 0.
  package init(parsing text: String) throws(ConfigurationError) {
    let error = ConfigurationError(
      "'\(text)' is no duration: use numbers with a unit, such as 500ms, 30s, 2m or 1m30s, at most 168h")
    if text == "0" {
      self = .zero
      return
    }
    var rest = Substring(text)
    var milliseconds = 0
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      rest = rest.dropFirst(digits.count)
      let name = rest.prefix { !($0.isASCII && $0.isNumber) }
      rest = rest.dropFirst(name.count)
      // Seven digits of hours can't overflow.
      guard (1...7).contains(digits.count), let number = Int(digits),
        let unit = Self.units.first(where: { $0.name == name })
      else { throw error }
      milliseconds += number * unit.milliseconds
    }
    guard !text.isEmpty, milliseconds <= Limits.longestDuration.wholeMilliseconds else { throw error }
    self = .milliseconds(milliseconds)
  }

  /// The duration as its parser reads it: the shortest way, to the millisecond.
  package var text: String {
    let milliseconds = wholeMilliseconds
    guard milliseconds > 0 else { return "0s" }
    var rest = milliseconds
    var text = ""
    for unit in Self.units where rest >= unit.milliseconds {
      text += "\(rest / unit.milliseconds)\(unit.name)"
      rest %= unit.milliseconds
    }
    return text
  }
}
