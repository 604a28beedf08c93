import RoostCore

/// The shortest duration that can be meant.
package enum ShortestDuration: Sendable {
  /// Zero has a meaning too.
  case zero
  /// Anything above zero, and what zero would come to.
  case above(String)
  /// So much.
  case atLeast(Duration)

  /// The shortest one; durations are written in whole milliseconds.
  package var duration: Duration {
    switch self {
    case .zero: .zero
    case .above: .milliseconds(1)
    case .atLeast(let duration): duration
    }
  }
}

/// How an option is written.
package enum OptionForm: Sendable {
  /// True or false; on the command line a flag.
  case flag
  /// One value. What kind, for the command line and for the documentation.
  case single(String, String)
  /// Several. What kind, for the command line and for the documentation.
  case list(String, String)
}

/// What an option's value is, and where it goes.
package enum OptionValueDefinition<Root>: Sendable {
  /// A place within what the options are for.
  package struct Place<Value>: Sendable {
    /// The value that is there; nil if there is none.
    package let get: @Sendable (Root) -> Value?
    package let set: @Sendable (inout Root, Value) -> Void

    init(
      get: @escaping @Sendable (Root) -> Value?, set: @escaping @Sendable (inout Root, Value) -> Void
    ) {
      (self.get, self.set) = (get, set)
    }
  }

  /// A duration that is long enough.
  case duration(Place<Duration>, ShortestDuration)
  case integer(Place<Int>, ClosedRange<Int>)
  /// True or false; on the command line a flag.
  case boolean(Place<Bool>)
  case choice(Place<String>, [String])
  /// An absolute path.
  case path(Place<String>)
  /// Mode bits, in octal digits such as these.
  case mode(Place<UInt32>, example: String)
  /// A command, or a line for the shell.
  case hook(Place<[String]>)
  /// What takes code of its own to be understood.
  case custom(OptionForm)

  /// How it is written: what kind of value, for the command line and for the documentation.
  package var form: OptionForm {
    switch self {
    case .duration: .single("duration", "duration")
    case .integer(_, let range): .single("number", range.text)
    case .boolean: .flag
    case .choice(_, let names):
      .single(names.joined(separator: "|"), names.map { "`\"\($0)\"`" }.joined(separator: ", "))
    case .path: .single("path", "path")
    case .mode: .single("octal", "octal")
    case .hook: .single("command", "command, or a line for the shell")
    case .custom(let form): form
    }
  }

  /// The value that is there, as a file has it; nil if there is none.
  func text(of root: Root) -> String? {
    switch self {
    case .duration(let place, _): place.get(root).map { "\"\($0.text)\"" }
    case .integer(let place, _): place.get(root).map(String.init)
    case .boolean(let place): place.get(root).map(String.init)
    case .choice(let place, _): place.get(root).map { "\"\($0)\"" }
    case .path(let place): place.get(root)
    case .mode, .hook, .custom: nil
    }
  }
}

// The places of an option are given by key paths; what isn't there in a configuration that leaves everything to Roost is optional.
extension OptionValueDefinition {
  package typealias Path<Value> = WritableKeyPath<Root, Value> & Sendable

  static func duration(_ path: Path<Duration>, _ shortest: ShortestDuration = .zero) -> Self {
    .duration(.at(path), shortest)
  }
  static func duration(_ path: Path<Duration?>, _ shortest: ShortestDuration = .zero) -> Self {
    .duration(.at(path), shortest)
  }

  static func integer(_ path: Path<Int>, _ range: ClosedRange<Int>) -> Self { .integer(.at(path), range) }
  static func integer(_ path: Path<Int?>, _ range: ClosedRange<Int>) -> Self { .integer(.at(path), range) }

  static func integer(_ path: Path<Int32>, _ range: ClosedRange<Int>) -> Self {
    .integer(Place(get: { Int($0[keyPath: path]) }, set: { $0[keyPath: path] = Int32($1) }), range)
  }

  static func boolean(_ path: Path<Bool>) -> Self { .boolean(.at(path)) }
  static func boolean(_ path: Path<Bool?>) -> Self { .boolean(.at(path)) }
  static func path(_ path: Path<String?>) -> Self { .path(.at(path)) }
  static func mode(_ path: Path<UInt32?>, example: String) -> Self { .mode(.at(path), example: example) }
  static func hook(_ path: Path<[String]?>) -> Self { .hook(.at(path)) }

  static func choice<C: RawRepresentable<String> & CaseIterable & SendableMetatype>(_ path: Path<C>) -> Self {
    .choice(
      Place(
        get: { $0[keyPath: path].rawValue },
        set: { root, name in C(rawValue: name).map { root[keyPath: path] = $0 } }),
      C.allCases.map(\.rawValue))
  }
}

extension OptionValueDefinition.Place {
  static func at(_ path: WritableKeyPath<Root, Value> & Sendable) -> Self {
    Self(get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
  }

  static func at(_ path: WritableKeyPath<Root, Value?> & Sendable) -> Self {
    Self(get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
  }
}

extension ClosedRange<Int> {
  /// As the documentation has it.
  var text: String { "\(lowerBound) to \(upperBound)" }
}
