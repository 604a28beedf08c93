import RoostCore
import RoostJSON

/// Members of a configuration, of the type and in the range that they must have: who has read an operator's text may be of
/// another version, or mistaken, and the master must not end with it.
extension JSON {
  init(optional number: UInt32?) {
    self = number.map { .integer(Int($0)) } ?? .null
  }

  func member(_ name: String) throws(ConfigurationError) -> JSON {
    guard let value = self[name] else { throw ConfigurationError("'\(name)' is missing") }
    return value
  }

  /// The value of this name, or nil where it is null.
  func optional(_ name: String) throws(ConfigurationError) -> JSON? {
    let value = try member(name)
    return value == .null ? nil : value
  }

  /// A text that C can take: what comes after a NUL would vanish in silence.
  func string(_ name: String) throws(ConfigurationError) -> String {
    try member(name).string(as: name)
  }

  func optionalString(_ name: String) throws(ConfigurationError) -> String? {
    try optional(name)?.string(as: name)
  }

  private func string(as name: String) throws(ConfigurationError) -> String {
    guard case .string(let value) = self else { throw ConfigurationError("'\(name)' is no string") }
    guard !value.utf8.contains(0) else { throw ConfigurationError("'\(name)' contains a NUL character") }
    return value
  }

  func strings(_ name: String) throws(ConfigurationError) -> [String] {
    var strings: [String] = []
    for element in try array(name) { strings.append(try element.string(as: name)) }
    return strings
  }

  /// A program and its arguments.
  func command(_ name: String) throws(ConfigurationError) -> [String] {
    let command = try strings(name)
    guard let program = command.first, !program.isEmpty else { throw ConfigurationError("'\(name)' names no program") }
    return command
  }

  func optionalCommand(_ name: String) throws(ConfigurationError) -> [String]? {
    try optional(name) == nil ? nil : try command(name)
  }

  func path(_ name: String) throws(ConfigurationError) -> String {
    let path = try string(name)
    guard path.utf8.first == UInt8(ascii: "/") else { throw ConfigurationError("'\(name)' is no absolute path") }
    return path
  }

  func optionalPath(_ name: String) throws(ConfigurationError) -> String? {
    try optional(name) == nil ? nil : try path(name)
  }

  func integer(_ name: String, _ range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
    try member(name).integer(as: name, range)
  }

  func optionalInteger(_ name: String, _ range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
    try optional(name)?.integer(as: name, range)
  }

  private func integer(as name: String, _ range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
    guard case .integer(let value) = self else { throw ConfigurationError("'\(name)' is no number") }
    guard range.contains(value) else {
      throw ConfigurationError("'\(name)' is \(value), expected \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// The id of a user or a group.
  func identifier(_ name: String) throws(ConfigurationError) -> UInt32 {
    UInt32(try integer(name, Limits.identifier))
  }

  func optionalIdentifier(_ name: String) throws(ConfigurationError) -> UInt32? {
    try optionalInteger(name, Limits.identifier).map { UInt32($0) }
  }

  func identifiers(_ name: String) throws(ConfigurationError) -> [UInt32] {
    var identifiers: [UInt32] = []
    for element in try array(name) { identifiers.append(UInt32(try element.integer(as: name, Limits.identifier))) }
    return identifiers
  }

  func optionalMode(_ name: String) throws(ConfigurationError) -> UInt32? {
    try optionalInteger(name, Limits.mode).map { UInt32($0) }
  }

  func boolean(_ name: String) throws(ConfigurationError) -> Bool {
    guard case .boolean(let value) = try member(name) else { throw ConfigurationError("'\(name)' is no boolean") }
    return value
  }

  func optionalBoolean(_ name: String) throws(ConfigurationError) -> Bool? {
    try optional(name) == nil ? nil : try boolean(name)
  }

  func array(_ name: String) throws(ConfigurationError) -> [JSON] {
    guard case .array(let value) = try member(name) else { throw ConfigurationError("'\(name)' is no array") }
    return value
  }

  /// Of whole milliseconds, from `shortest` to the longest that can be asked for.
  func duration(_ name: String, from shortest: Duration = .zero) throws(ConfigurationError) -> Duration {
    .milliseconds(try integer(name, shortest.wholeMilliseconds...Limits.longestDuration.wholeMilliseconds))
  }

  func choice<C: RawRepresentable>(_ name: String) throws(ConfigurationError) -> C where C.RawValue == String {
    let value = try string(name)
    guard let choice = C(rawValue: value) else { throw ConfigurationError("'\(name)' is '\(value)', which is unknown") }
    return choice
  }
}
