import RoostConfiguration
import RoostControl
import RoostCore

/// What an operator has written, in a file and on the command line, which wins.
package struct Options {
  static let names = Configuration.options.map(\.name)

  /// Larger files are no configuration.
  private static let maximumLength = 1 << 20

  let entries: [OptionEntry]
  let file: String?
  /// Where the operator is: paths on the command line may begin there.
  let directory: String
  /// Whether this is read for a reload.
  let isReadAgain: Bool

  /// Reads a file, if there is one, under the options of the command line. For a reload it is read again: what the shell
  /// has passed as a descriptor is gone by then.
  package init(
    file: String?, commandLine: [OptionEntry], directory: String, isReadAgain: Bool = false
  ) throws(Problems) {
    let written =
      try file.map { path throws(Problems) in
        try Self.entries(of: InputFile(path: path, directory: directory, isReadAgain: isReadAgain))
      } ?? []
    self.isReadAgain = isReadAgain
    let named = Set(commandLine.map(\.name))
    // Assignments add up; everything else is replaced as a whole.
    let added = Self.merge(written.filter { named.contains($0.name) }, commandLine)
    entries = (written.filter { !named.contains($0.name) } + added).map(Self.ordered)
    self.file = file
    self.directory = directory
  }

  /// The options of the command line, for the service of a file that can't be read.
  package init(unreadable file: String, commandLine: [OptionEntry], directory: String) {
    entries = commandLine
    self.file = file
    self.directory = directory
    isReadAgain = true
  }

  /// What stands in a configuration file, in its order.
  private static func entries(of file: InputFile) throws(Problems) -> [OptionEntry] {
    let bytes: [UInt8]
    do {
      bytes = try file.bytes(atMost: maximumLength)
    } catch {
      throw Problems([Problem(.wholeFile(file.path), nil, error.text)])
    }
    return try TOMLReader.entries(of: try Text.checked(bytes, path: file.path), path: file.path)
  }

  private static func merge(_ written: [OptionEntry], _ commandLine: [OptionEntry]) -> [OptionEntry] {
    commandLine.map { entry in
      guard ["environment", "limit", "probe"].contains(entry.name),
        case .table(let below) = written.first(where: { $0.name == entry.name })?.value.value,
        case .array(let texts) = entry.value.value
      else { return entry }
      let above = texts.compactMap(\.assignment)
      let names = Set(above.map(\.name))
      let all = below.filter { !names.contains($0.name) } + above
      return OptionEntry(entry.name, at: entry.place, Located(.table(all), at: entry.place))
    }
  }

  /// A table by name: a configuration whose lines have changed places is the same. The command line keeps its order, because
  /// the last one of a name counts.
  private static func ordered(_ entry: OptionEntry) -> OptionEntry {
    guard case .table(let all) = entry.value.value else { return entry }
    let below = all.filter { !$0.place.isCommandLine }.sorted { $0.name < $1.name }
    let value = OptionValue.table(below + all.filter(\.place.isCommandLine))
    return OptionEntry(entry.name, at: entry.place, Located(value, at: entry.value.place))
  }

  /// The configuration that the options stand for, or everything that is wrong with them.
  package func configuration() throws(Problems) -> Configuration {
    let reader = OptionReader(entries, known: Self.names)
    let command = reader.command("command")
    if command == nil, !reader.has("command") {
      let place = file.map(Place.wholeFile) ?? .commandLine("roost run")
      let text = "'command' is missing, expected an array such as [\"/srv/web/server\"], or a command after '--'"
      reader.add([Problem(place, nil, text)])
    }
    var configuration = Configuration.standard
    configuration.settings.startAttempts = Self.isAtTerminal ? 3 : nil
    configuration.settings.fallsBack = !Self.isAtTerminal
    reader.take(Configuration.options, into: &configuration, in: directory)
    configuration.name = name(reader, command)
    configuration.listeners = listeners(reader)
    configuration.settings.workers = workers(reader)
    let probe = probe(reader, configuration.listeners)
    configuration.settings.probeTimeout = probe?.timeout
    configuration.worker.probe = probe?.probe
    configuration.worker.command = command ?? [""]
    complete(&configuration.worker, reader, configuration.listeners)
    complete(&configuration.settings, reader, configuration)
    configuration.control = control(reader, name: configuration.name)
    configuration.history = history(reader, name: configuration.name)
    configuration.metrics = metrics(reader)
    guard reader.problems.isEmpty else { throw Problems(reader.problems, uncounted: reader.uncounted) }
    return configuration
  }

  /// The name that is chosen, or that of the file, or that of the command.
  private func name(_ reader: OptionReader, _ command: [String]?) -> String {
    reader.parsed("name", "a name", ServiceName.validate) ?? file.map(Self.serviceName)
      ?? ServiceName.derived(from: command?.first ?? "")
  }

  /// What the service of a configuration file is called where nobody says otherwise.
  package static func serviceName(ofFile file: String) -> String {
    let base = file.split(separator: "/").last ?? "service"
    return ServiceName.derived(from: base.hasSuffix(".toml") ? String(base.dropLast(5)) : String(base))
  }

  /// Where systemd has made a directory for it, else beside the control socket.
  private func history(_ reader: OptionReader, name: String) -> HistoryConfiguration? {
    let length = reader.integer("history", Limits.history)
    let place =
      reader.path("state-directory", in: directory) ?? StatePlace.forMaster()
      ?? reader.path("control-directory", in: directory) ?? ControlPlace.forMaster(name: name)
    guard let place else {
      reader.report("history", "there is no directory for it; see 'state-directory'")
      return nil
    }
    return HistoryConfiguration(directory: place, length: length ?? HistoryConfiguration.defaultLength)
  }

  /// Where it is recorded what has served, whatever else is wrong; nil if there is no place for it.
  package var historyDirectory: String? {
    let reader = OptionReader(entries, known: Self.names)
    return history(reader, name: name(reader, nil))?.directory
  }

  private func control(_ reader: OptionReader, name: String) -> ControlConfiguration? {
    let chosen = reader.path("control-directory", in: directory)
    let group = reader.located("control-group").flatMap { Users.group($0, "control-group", reader) }
    guard let place = chosen ?? ControlPlace.forMaster(name: name) else {
      reader.report("control-group", "there is no directory for a control socket; see 'control-directory'")
      return nil
    }
    return ControlConfiguration(directory: place, group: group)
  }
}
