import ArgumentParser
import RoostConfiguration
import RoostOptions

/// The options of a service on the command line, made of the table that has them all. Each stands in a configuration file under
/// the same name.
struct ServiceOptions: ParsableArguments, CustomReflectable {
  /// What the parser finds out about by reflection, as if each were a property of this name.
  fileprivate enum Value {
    case flag(Flag<Bool?>)
    case single(Option<String?>)
    case list(Option<[String]>)
  }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  fileprivate var values: [(name: String, value: Value)]

  init() {
    // The command stands after two dashes.
    values = Configuration.options.filter { $0.name != "command" }.map { ($0.name, Value($0)) }
  }

  init(from decoder: any Decoder) throws {
    let given = try decoder.container(keyedBy: Key.self)
    values = try Self().values.map { name, value in
      let key = Key(stringValue: name)
      return switch value {
      case .flag: (name, .flag(try given.decode(Flag<Bool?>.self, forKey: key)))
      case .single: (name, .single(try given.decode(Option<String?>.self, forKey: key)))
      case .list: (name, .list(try given.decode(Option<[String]>.self, forKey: key)))
      }
    }
  }

  var customMirror: Mirror { Mirror(self, children: values.map { ("_\($0)", $1.wrapper) }) }

  /// What was given, in the form that a file's options have too.
  var entries: [OptionEntry] {
    values.compactMap { name, value in
      switch value {
      case .flag(let flag):
        flag.wrappedValue.map { Self.entry(name, .boolean($0), as: $0 ? "--\(name)" : "--no-\(name)") }
      case .single(let option): option.wrappedValue.map { Self.entry(name, .text($0), as: "--\(name)") }
      case .list(let option):
        option.wrappedValue.isEmpty ? nil : Self.entry(name, option.wrappedValue, as: "--\(name)")
      }
    }
  }

  /// What was given for an option; nil if nothing was.
  func value(_ name: String) -> OptionValue? { entries.first { $0.name == name }?.value.value }

  /// Gives an option that is a list these values.
  mutating func set(_ name: String, _ texts: [String]) {
    for index in values.indices where values[index].name == name {
      if case .list(var option) = values[index].value {
        option.wrappedValue = texts
        values[index].value = .list(option)
      }
    }
  }

  /// Whether what the options stand for may change while they stay as they are.
  var dependsOnFiles: Bool {
    ["environment-file", "user", "group", "supplementary-group"].contains { value($0) != nil }
      || value("workers") == .text("auto")
  }

  static func entry(_ name: String, _ texts: [String], as option: String) -> OptionEntry {
    let place = Place.commandLine(option)
    return entry(name, .array(texts.map { Located(.text($0), at: place) }), as: option)
  }

  private static func entry(_ name: String, _ value: OptionValue, as option: String) -> OptionEntry {
    let place = Place.commandLine(option)
    return OptionEntry(name, at: place, Located(value, at: place))
  }
}

extension ServiceOptions.Value {
  fileprivate init(_ option: OptionDefinition<Configuration>) {
    let name = NameSpecification([.customLong(option.name)] + (option.abbreviation.map { [.customShort($0)] } ?? []))
    let help = option.terminalHelp(in: .standard)
    switch option.value.form {
    // With an inversion: what a file switches on, the command line must be able to switch off.
    case .flag: self = .flag(Flag(name: name, inversion: .prefixedNo, help: ArgumentHelp(help)))
    case .single(let kind, _): self = .single(Option(name: name, help: ArgumentHelp(help, valueName: kind)))
    case .list(let kind, _):
      self = .list(Option(wrappedValue: [], name: name, help: ArgumentHelp(help, valueName: kind)))
    }
  }

  fileprivate var wrapper: Any {
    switch self {
    case .flag(let flag): flag
    case .single(let option): option
    case .list(let option): option
    }
  }
}

extension OptionDefinition {
  /// What it means, and what holds if it isn't given.
  fileprivate func terminalHelp(in root: Root) -> String {
    let text = help ?? Self.plain(meaning)
    let sentence = text.prefix(1).uppercased() + text.dropFirst() + (text.hasSuffix(".") ? "" : ".")
    let standard = standard(in: root).map(Self.plain).flatMap { $0 == "none" ? nil : " (default: \($0))" }
    let repeatable = if case .list = value.form { " Repeatable." } else { "" }
    return sentence + repeatable + (standard ?? "")
  }

  /// Without marks and links. By hand: a regular expression takes a second for all options, at each start and each reload.
  private static func plain(_ markdown: String) -> String {
    var plain = ""
    var isOfLink = false
    var former: Character?
    for character in markdown {
      if character == "(", former == "]" { isOfLink = true }
      if !isOfLink, !"`\"[]".contains(character) { plain.append(character) }
      if character == ")" { isOfLink = false }
      former = character
    }
    return plain
  }
}
