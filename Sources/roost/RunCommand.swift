import ArgumentParser
import Foundation
import RoostConfiguration
import RoostLog
import RoostMaster
import RoostOptions

/// `roost run`: becomes the master.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a service in the foreground.",
    usage: """
      roost run [<options>] -- COMMAND [ARG ...]
      roost run [<options>] NAME            (reads /etc/roost/NAME.toml)
      roost run [<options>] --config FILE   (a path that ends with .toml needs no --config)
      """,
    discussion: """
      Opens the listeners, starts the workers with them, and keeps them running. On SIGHUP it starts new workers, \
      waits until they are ready, and only then tells the old ones to drain.

      Every option can be set in a configuration file under the same name; the command line wins \
      (docs/configuration.md). Durations are written 500ms, 30s, 2m or 1m30s.

      Signals: HUP reloads; TERM and INT stop gracefully, a second one at once; QUIT stops at once; TTIN and TTOU add \
      and remove a worker; USR2 makes the master execute its own new binary (roost upgrade); USR1 does nothing.

      Exit status: 0 stopped as asked; 1 the workers couldn't get ready; 64 wrong usage; 78 something that was asked \
      for isn't valid or available, and nothing was started.
      """)

  @OptionGroup var source: ServiceSource

  func run() throws {
    let request = PreparationRequest()
    do {
      if let request { return request.answer(try configuration(isReadAgain: true)) }
      let (read, trouble) = try ManagedSignals.endable { try configurationOrRecord() }
      try Handover(program: try MasterProgram.path(), reader: try reader(), configuration: read, trouble: trouble)
        .execute()
    } catch let problems as Problems {
      if let request { return request.answer(problem: problems.oneLine) }
      try Failure.exit(problems)
    } catch let error as MasterError {
      if let request { return request.answer(problem: error.description) }
      // As the master would say it: this process is about to become one.
      Log().error(error.description)
      throw ExitCode(ExitStatus.masterFailed)
    }
  }

  /// What the command line says to run.
  func configuration(isReadAgain: Bool = false) throws -> Configuration {
    try source.configuration(
      example: "roost run --listen 8080 -- ./server --verbose", isReadAgain: isReadAgain)
  }

  /// What to run. If the file can't be used, that is what served last, together with what is wrong: if a master dies,
  /// or a machine boots, a mistake in a file that wasn't tried yet mustn't cause an outage.
  private func configurationOrRecord() throws -> (Configuration, trouble: String?) {
    do {
      return (try configuration(), nil)
    } catch let problems as Problems {
      // An operator at the terminal sees it, and can fix it.
      let fallsBack = source.options.value("fallback").map { $0 == .boolean(true) } ?? !Options.isAtTerminal
      var name: String?
      if case .text(let chosen) = source.options.value("name") { name = chosen }
      guard !problems.areUsage, fallsBack,
        let recorded = source.historyDirectory().flatMap({ RecordedService.configuration(in: $0, of: name) })
      else { throw problems }
      return (recorded, problems.oneLine)
    }
  }

  /// What reads the configuration on reload: this program, unless only the command line was read.
  private func reader() throws -> String? {
    source.file == nil && !source.options.dependsOnFiles ? nil : try MasterProgram.ownPath()
  }
}

/// Where configuration files are.
enum ConfigurationPath {
  static func path(ofService name: String) -> String { "/etc/roost/\(name).toml" }

  private static func isFile(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && !isDirectory.boolValue
  }

  /// A path as it is; anything without a slash that isn't a file here names a service, or its file.
  static func path(of text: String) -> String {
    if text.contains("/") || isFile(text) { return text }
    return isOfFile(text) ? "/etc/roost/\(text)" : path(ofService: text)
  }

  /// Whether a text is the path of a configuration file, there or not, and doesn't name a service.
  static func isOfFile(_ text: String) -> Bool { text.hasSuffix(".toml") }

  /// Whether a text is the path of an existing configuration file, which can't be executed.
  static func isOfExistingFile(_ text: String) -> Bool {
    isOfFile(text) && isFile(text) && !FileManager.default.isExecutableFile(atPath: text)
  }

  /// Why this doesn't name a service, if it doesn't. Both cases are typed by people who mean something else, and
  /// nothing is guessed: a reload has to read what the start read, whatever is in the directory by then.
  static func objection(toService text: String, _ command: String) -> String? {
    if isOfFile(text) {
      guard !text.contains("/"), !isFile(text), isFile("/etc/roost/\(text)") else { return nil }
      return "there is no \(text) here; the one in /etc/roost is that of: \(command) \(text.dropLast(5))"
    }
    guard text.contains("/") else { return nil }
    return
      "'\(text)' isn't the name of a service; a command comes after '--': \(command) -- \(text); a configuration file"
      + " after --config"
  }
}
