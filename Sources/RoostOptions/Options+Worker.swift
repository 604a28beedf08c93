import RoostConfiguration
import RoostContract
import RoostCore

extension Options {
  /// What takes code of its own to be understood.
  func complete(_ worker: inout WorkerConfiguration, _ reader: OptionReader, _ listeners: [ListenerConfiguration]) {
    worker.limits = reader.table("limit").compactMap { limit($0, reader) }
    worker.compatibility = compatibility(reader, worker.readinessChannel)
    let own = worker.probe.map { _ in
      ListenerConfiguration(name: Probe.listenerName, address: .tcp(.ipv4("127.0.0.1"), port: 0))
    }
    let placeholders = Placeholders(
      listeners: listeners + [own].compactMap(\.self), hasReadinessPipe: worker.readinessChannel == .pipe)
    worker.argumentTemplates = fillIn(&worker.command, placeholders, reader)
    worker.stopSignal =
      reader.parsed("stop-signal", "the name of a signal such as \"TERM\"", StopSignal.init(parsing:)) ?? .term
    worker.output = output(reader)
    let person = Users.identity(reader)
    worker.identity = person?.identity
    for (name, template) in environment(reader, of: person, placeholders) {
      if let value = template.literal {
        worker.environment.append("\(name)=\(value)")
      } else {
        worker.variableTemplates.append(VariableTemplate(name: name, template: template))
      }
    }
    checkLength(of: worker, reader)
  }

  private func checkLength(of worker: WorkerConfiguration, _ reader: OptionReader) {
    let length = (worker.command + worker.environment).reduce(0) { $0 + $1.utf8.count + 1 }
    guard length > Limits.allArguments else { return }
    let longest = ["environment-file", "environment", "command"].first(where: reader.has) ?? "command"
    reader.report(
      longest,
      "the command and its variables have \(length) bytes, and the kernel gives no process more than \(Limits.allArguments) (execve(2))"
    )
  }

  private func compatibility(
    _ reader: OptionReader, _ channel: WorkerConfiguration.ReadinessChannel
  ) -> [Compatibility] {
    let names = Compatibility.allCases.map(\.rawValue)
    let chosen = reader.list("compatibility").compactMap {
      reader.choice($0, "compatibility", among: names, "a string or an array of strings")
    }.compactMap(Compatibility.init)
    // Its acknowledgement needs what it is sent to.
    let implied: [Compatibility] = channel == .einhorn ? [.einhorn] : []
    return Compatibility.allCases.filter((chosen + implied).contains)
  }

  private func output(_ reader: OptionReader) -> WorkerConfiguration.Output {
    let isPrefixed = reader.boolean("log-prefix") ?? false
    let isDirect = reader.boolean("direct-stderr") ?? false
    if isPrefixed, isDirect { reader.report("direct-stderr", "contradicts 'log-prefix': use one of them") }
    return isPrefixed ? .prefixed : isDirect ? .direct : .passed
  }

  private func limit(_ entry: OptionEntry, _ reader: OptionReader) -> ResourceLimit? {
    guard let resource = ResourceLimit.resources.first(where: { $0.name == entry.name }) else {
      let names = ResourceLimit.resources.map(\.name)
      reader.add([OptionReader.unknown(entry, "resource", of: "limit", known: names)])
      return nil
    }
    let option = "limit.\(entry.name)"
    guard case .array(let parts) = Self.bounds(entry.value) else {
      return limit(entry.value, option, reader).map {
        ResourceLimit(resource: resource.number, soft: $0.value, hard: $0.value)
      }
    }
    let bounds = parts.compactMap { limit($0, option, reader) }
    guard bounds.count == parts.count else { return nil }
    guard bounds.count == 2 else {
      let pair = entry.value.place.isCommandLine ? "SOFT:HARD" : "[soft, hard]"
      return reader.refuse(entry.value, option, "expected one bound, or \(pair)")
    }
    if bounds[0].value ?? .max > bounds[1].value ?? .max {
      return reader.refuse(entry.value, option, "the soft limit is above the hard one")
    }
    return ResourceLimit(resource: resource.number, soft: bounds[0].value, hard: bounds[1].value)
  }

  /// The command line has no arrays: there a limit with two bounds is written SOFT:HARD.
  private static func bounds(_ value: Located) -> OptionValue {
    guard case .text(let text) = value.value, text.utf8.contains(UInt8(ascii: ":")) else { return value.value }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    return .array(parts.map { Located(.text(String($0)), at: value.place) })
  }

  private struct Bound {
    let value: UInt64?
  }

  private func limit(_ value: Located, _ option: String, _ reader: OptionReader) -> Bound? {
    if value.value.isWord("unlimited") { return Bound(value: nil) }
    return reader.integer(value, option, Limits.resource, orElse: " or \"unlimited\"").map { Bound(value: UInt64($0)) }
  }

  // MARK: Environment

  /// First what belongs to the user, then the table of the file, then environment files, then the command line.
  private func environment(
    _ reader: OptionReader, of person: Users.Person?, _ placeholders: Placeholders
  ) -> [(name: String, value: Template)] {
    func literal(_ assignments: [(name: String, value: String)]) -> [(name: String, value: Template)] {
      assignments.map { ($0.name, Template([.text($0.value)])) }
    }
    var assignments = literal(person?.environment ?? [])
    let entries = reader.table("environment").filter { entry in
      guard let problem = Self.problem(withVariable: entry) else { return true }
      reader.add([Problem(entry.place, "environment", problem)])
      return false
    }
    func add(_ entries: [OptionEntry]) {
      for entry in entries {
        let option = "environment.\(entry.name)"
        guard let text = reader.string(entry.value, option),
          let value = template(text, entry.value, option, placeholders, reader)
        else { continue }
        if let problem = Limits.problem(withArgumentOf: entry.name.utf8.count + 1 + text.utf8.count) {
          reader.report(entry.value, option, problem)
          continue
        }
        assignments.append((entry.name, value))
      }
    }
    add(entries.filter { !$0.place.isCommandLine })
    for file in reader.list("environment-file") { assignments += literal(self.assignments(of: file, reader)) }
    add(entries.filter(\.place.isCommandLine))
    // The last one counts; the place is that of the first, so that an environment can be compared with another.
    var values: [String: Template] = [:]
    var names: [String] = []
    for (name, value) in assignments where values.updateValue(value, forKey: name) == nil { names.append(name) }
    return names.map { ($0, values[$0]!) }
  }

  private func assignments(of file: Located, _ reader: OptionReader) -> [(name: String, value: String)] {
    guard let text = reader.string(file, "environment-file", "a path or an array of paths"), !text.isEmpty else {
      return []
    }
    let isOptional = text.hasPrefix("-")
    let bare = Located(.string(String(text.dropFirst(isOptional ? 1 : 0))), at: file.place)
    guard let path = reader.path(bare, "environment-file", in: directory) else { return [] }
    do {
      return try EnvironmentFile.read(
        InputFile(path: path, directory: directory, isReadAgain: isReadAgain), isOptional: isOptional, from: file.place)
    } catch {
      reader.add(error)
      return []
    }
  }

  /// What stands after the head of a table in a file belongs to that table: an option there would become a variable, and
  /// the workers would run as root where they weren't meant to.
  private static func problem(withVariable entry: OptionEntry) -> String? {
    guard !entry.place.isCommandLine, names.contains(entry.name) else {
      return VariableName.problem(with: entry.name)
    }
    let variable =
      VariableName.isOne(entry.name.utf8) ? "; if a variable of this name is meant, use 'environment-file'" : ""
    return "'\(entry.name)' is the name of an option and would be a variable here: \(optionPlace)\(variable)"
  }
}

extension Options {
  /// Where an option of the service belongs that stands in a table.
  static let optionPlace = "an option belongs above the first table"

  /// What to say of a name that a table doesn't have, but the service does.
  static func hint(forOption entry: OptionEntry) -> String? {
    guard names.contains(entry.name) else { return nil }
    return entry.place.isCommandLine
      ? "did you mean '--\(entry.name)'?" : "it is one of the service, and \(optionPlace)"
  }
}
