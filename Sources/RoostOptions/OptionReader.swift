import RoostConfiguration

/// Turns what was written into what is meant, and collects what can't be.
final class OptionReader {
  private let entries: [String: OptionEntry]
  /// The option of which these are parts, if they are.
  private let context: String?
  private(set) var problems: [Problem] = []
  /// How many there are beside these.
  private(set) var uncounted = 0
  private static let maximumUnknown = 100

  /// A reader of these options, of which only the named ones exist.
  init(_ entries: [OptionEntry], known: [String], context: String? = nil) {
    self.context = context
    self.entries = Dictionary(entries.map { ($0.name, $0) }, uniquingKeysWith: { _, last in last })
    let known = known.sorted()
    let unknown = entries.filter { !known.contains($0.name) }
    for (index, entry) in unknown.enumerated() {
      // That file is no configuration, and looking for what each name may have meant would take its time.
      if index == Self.maximumUnknown {
        problems.append(Problem(entry.place, context, "and \(unknown.count - index) more options that there aren't"))
        break
      }
      problems.append(Self.unknown(entry, "option", of: context, known: known))
    }
  }

  /// What is wrong with a name that isn't among those that are known.
  static func unknown(_ entry: OptionEntry, _ kind: String, of context: String?, known: [String]) -> Problem {
    // Within a table it may be an option that was meant for the service.
    let foreign = context == nil ? nil : Options.hint(forOption: entry)
    let hint = foreign ?? Spelling.nearest(to: entry.name, among: known).map { "did you mean '\($0)'?" }
    let names = "known are \(known.joined(separator: ", "))"
    return Problem(entry.place, context, "there is no \(kind) '\(entry.name)': \(hint ?? names)")
  }

  /// Takes over what another reader couldn't use.
  func add(_ more: [Problem]) { problems += more }

  /// Takes over what is wrong with another file.
  func add(_ more: Problems) {
    problems += more.first
    uncounted += more.count - more.first.count
  }

  func report(_ value: Located, _ option: String, _ text: String) {
    problems.append(Problem(value.place, label(option), text))
  }

  /// Says what is wrong with a value, in whose place there is nothing.
  func refuse<R>(_ value: Located, _ option: String, _ text: String) -> R? {
    report(value, option, text)
    return nil
  }

  private func label(_ option: String) -> String { context.map { $0 == option ? option : "\($0).\(option)" } ?? option }

  /// Says about an option that is there what is wrong with its being there.
  func report(_ option: String, _ text: String) {
    if let entry = entries[option] { problems.append(Problem(entry.place, label(option), text)) }
  }

  func has(_ option: String) -> Bool { entries[option] != nil }
  func located(_ option: String) -> Located? { entries[option]?.value }

  func expected<R>(_ what: String, _ value: Located, _ option: String) -> R? {
    refuse(value, option, "found \(value.value.words), expected \(what)")
  }

  func string(_ value: Located, _ option: String, _ what: String = "a string") -> String? {
    switch value.value {
    case .string(let string), .text(let string): return string
    case .integer, .boolean, .array, .table, .other: return expected(what, value, option)
    }
  }

  /// A string that is converted by something that knows why it can't.
  func parsed<R>(_ option: String, _ what: String, _ parse: (String) throws(ConfigurationError) -> R) -> R? {
    located(option).flatMap { parsed($0, option, what, parse) }
  }

  func parsed<R>(
    _ value: Located, _ option: String, _ what: String, _ parse: (String) throws(ConfigurationError) -> R
  ) -> R? {
    guard let string = string(value, option, what) else { return nil }
    do {
      return try parse(string)
    } catch {
      return refuse(value, option, error.description)
    }
  }

  func duration(_ option: String) -> Duration? {
    parsed(option, "a duration with its unit, such as \"500ms\", \"30s\" or \"1m30s\"", Duration.init(parsing:))
  }

  func integer(_ option: String, _ range: ClosedRange<Int>) -> Int? {
    located(option).flatMap { integer($0, option, range) }
  }

  func integer(
    _ value: Located, _ option: String, _ range: ClosedRange<Int>, orElse alternative: String = ""
  ) -> Int? {
    let what = "a whole number from \(range.lowerBound) to \(range.upperBound)\(alternative)"
    let number: Int? =
      switch value.value {
      case .integer(let number): number
      case .text(let text): Int(text)
      case .string, .boolean, .array, .table, .other: nil
      }
    guard let number else { return expected(what, value, option) }
    guard range.contains(number) else { return refuse(value, option, "\(number) is out of range, expected \(what)") }
    return number
  }

  func boolean(_ option: String) -> Bool? {
    guard let value = located(option) else { return nil }
    switch value.value {
    case .boolean(let value): return value
    case .text("true"): return true
    case .text("false"): return false
    case .string, .integer, .array, .table, .other, .text: return expected("true or false", value, option)
    }
  }

  func choice(_ option: String, among names: [String]) -> String? {
    located(option).flatMap { choice($0, option, among: names, "") }
  }

  func choice(_ value: Located, _ option: String, among names: [String], _ alternative: String) -> String? {
    let what = "one of " + names.map { "\"\($0)\"" }.joined(separator: ", ")
    guard let string = string(value, option, alternative.isEmpty ? what : alternative) else { return nil }
    if names.contains(string) { return string }
    let hint = Spelling.nearest(to: string, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
    return refuse(value, option, "found \"\(string)\", expected \(what)\(hint)")
  }

  /// One value, or an array of them.
  func list(_ option: String) -> [Located] {
    guard let value = located(option) else { return [] }
    guard case .array(let elements) = value.value else { return [value] }
    return elements
  }

  /// A table, or texts `NAME=VALUE` of the command line.
  func table(_ option: String) -> [OptionEntry] {
    guard let value = located(option) else { return [] }
    switch value.value {
    case .table(let entries): return entries
    case .array(let elements) where elements.allSatisfy(\.value.isText):
      return elements.compactMap { assignment($0, option) }
    case .string, .integer, .boolean, .array, .other, .text:
      return expected("a table such as { NAME = \"value\" }", value, option) ?? []
    }
  }

  private func assignment(_ element: Located, _ option: String) -> OptionEntry? {
    guard let entry = element.assignment, !entry.name.isEmpty else { return expected("NAME=VALUE", element, option) }
    return entry
  }

  /// A program and its arguments.
  func command(_ option: String) -> [String]? {
    guard let value = located(option) else { return nil }
    guard case .array(let elements) = value.value else { return expected(commandExample(value), value, option) }
    let strings = elements.compactMap { string($0, option, "an array of strings") }
    guard strings.count == elements.count else { return nil }
    guard let program = strings.first, !program.isEmpty else {
      return refuse(value, option, "names no program, expected an array such as [\"/srv/web/server\", \"--verbose\"]")
    }
    for (string, element) in zip(strings, elements) {
      guard let problem = Limits.problem(withArgumentOf: string.utf8.count) else { continue }
      return refuse(element, option, "an argument \(problem)")
    }
    return strings
  }

  private func commandExample(_ value: Located) -> String {
    guard case .string(let string) = value.value else { return "an array of strings" }
    let words = string.split(separator: " ").map { "\"\($0)\"" }
    return "an array of strings: there is no shell that takes them apart, so write [\(words.joined(separator: ", "))]"
  }

  /// A program and its arguments, or a line for the shell.
  func hook(_ option: String) -> [String]? {
    guard let value = located(option) else { return nil }
    switch value.value {
    case .string(let line) where !line.isEmpty, .text(let line) where !line.isEmpty: return ["/bin/sh", "-c", line]
    case .array: return command(option)
    case .string, .text, .integer, .boolean, .table, .other:
      return expected("a line for the shell or an array of strings", value, option)
    }
  }

  /// An absolute path; one of the command line may begin where the operator is.
  func path(_ option: String, in directory: String) -> String? {
    located(option).flatMap { path($0, option, in: directory) }
  }

  func path(_ value: Located, _ option: String, in directory: String) -> String? {
    guard let path = string(value, option, "a path"), !path.isEmpty else { return nil }
    if path.hasPrefix("/") { return path }
    if value.place.isCommandLine { return directory + "/" + path }
    return refuse(
      value, option, "the path \"\(path)\" is relative, expected an absolute one: a service starts in no certain place")
  }
}
