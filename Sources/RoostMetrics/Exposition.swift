/// Text of metrics, in one of the two formats that scrapers ask for.
package struct Exposition {
  package enum Format: Hashable, Sendable, CaseIterable {
    /// OpenMetrics 1.0.0 (https://prometheus.io/docs/specs/om/open_metrics_spec).
    case openMetrics
    /// The older text format of Prometheus, 0.0.4.
    case prometheus

    /// As in the header `Content-Type`.
    package var contentType: String {
      switch self {
      case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
      case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
      }
    }
  }

  /// What kind of numbers a family has.
  enum Kind: String {
    case gauge, counter, histogram, info
    case stateSet = "stateset"

    /// What the names of its samples end with, apart from those of a histogram.
    fileprivate var suffix: String {
      switch self {
      case .counter: "_total"
      case .info: "_info"
      case .gauge, .histogram, .stateSet: ""
      }
    }
  }

  typealias Label = (name: String, value: String)

  private let format: Format
  /// The labels of every sample.
  private let common: [Label]
  private var family = ""
  private var suffix = ""
  private(set) var text = ""

  init(_ format: Format, common: [Label]) {
    self.format = format
    self.common = common
  }

  /// Begins a family. Its name ends with its unit, if it has one.
  mutating func begin(_ name: String, _ kind: Kind, unit: String? = nil, _ help: String) {
    family = name
    suffix = kind.suffix
    switch format {
    case .openMetrics:
      text += "# TYPE \(name) \(kind.rawValue)\n"
      if let unit { text += "# UNIT \(name) \(unit)\n" }
      text += "# HELP \(name) \(help)\n"
    case .prometheus:
      // Here a family is called what its samples are, and the last two kinds don't exist.
      let type = kind == .info || kind == .stateSet ? .gauge : kind
      text += "# HELP \(name)\(suffix) \(help)\n# TYPE \(name)\(suffix) \(type.rawValue)\n"
    }
  }

  /// Adds a number to the family.
  mutating func add(_ value: String, suffix: String? = nil, _ labels: [Label] = []) {
    text += "\(family)\(suffix ?? self.suffix){"
    for (index, label) in (common + labels).enumerated() {
      if index > 0 { text += "," }
      text += "\(label.name)=\"\(Self.escaped(label.value))\""
    }
    text += "} \(value)\n"
  }

  mutating func add(_ value: Int, suffix: String? = nil, _ labels: [Label] = []) {
    add(String(value), suffix: suffix, labels)
  }

  mutating func end() {
    if format == .openMetrics { text += "# EOF\n" }
  }

  /// Seconds with their fraction, of a whole number of µs: `0.05`, `12.0`.
  static func seconds(_ microseconds: Int) -> String {
    let whole = microseconds / 1_000_000
    var fraction = microseconds % 1_000_000
    var digits = 6
    while digits > 1, fraction % 10 == 0 {
      fraction /= 10
      digits -= 1
    }
    let text = String(fraction)
    return "\(whole)." + String(repeating: "0", count: digits - text.utf8.count) + text
  }

  private static func escaped(_ value: String) -> String {
    var text = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
