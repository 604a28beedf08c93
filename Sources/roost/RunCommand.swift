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
      Opens the listeners, starts the workers with them, and keeps them running. On SIGHUP it starts new workers, waits \
      until they are ready, and only then tells the old ones to drain.

      Every option can stand in a configuration file under the same name, and the command line wins \
      (docs/configuration.md). Durations are written 500ms, 30s, 2m or 1m30s.

      Signals: HUP reloads; TERM and INT stop gracefully, a second one at once; QUIT stops at once; TTIN and TTOU add and \
      remove a worker; USR2 has the master execute its own new binary (roost upgrade); USR1 does nothing.

      Exit status: 0 stopped as asked; 1 the workers couldn't get ready; 64 wrong usage; 78 something that was asked for \
      can't be had, and nothing was started.
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
      // As the master would say it: it is on its way to become one.
      Log().error(error.description)
      throw ExitCode(ExitStatus.masterFailed)
    }
  }

  /// What the command line says to run.
  func configuration(isReadAgain: Bool = false) throws -> Configuration {
    try source.configuration(
      example: "roost run --listen 8080 -- ./server --verbose", isReadAgain: isReadAgain)
  }

  /// What is to be run. Where the file can't be used that is what served last, and what is wrong is told beside it: a master
  /// that dies, or a machine that boots, mustn't make an outage of a mistake in a file that nobody has tried yet.
  private func configurationOrRecord() throws -> (Configuration, trouble: String?) {
    do {
      return (try configuration(), nil)
    } catch let problems as Problems {
      // Who sits there sees it, and can mend it.
      let fallsBack = source.options.value("fallback").map { $0 == .boolean(true) } ?? !Options.isAtTerminal
      var name: String?
      if case .text(let chosen) = source.options.value("name") { name = chosen }
      guard !problems.areUsage, fallsBack,
        let recorded = source.historyDirectory().flatMap({ RecordedService.configuration(in: $0, of: name) })
      else { throw problems }
      return (recorded, problems.oneLine)
    }
  }

  /// What reads the configuration on reload: this program, unless nothing but the command line was read.
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

  /// A path as it is; anything without a slash that is no file here names a service, or its file.
  static func path(of text: String) -> String {
    if text.contains("/") || isFile(text) { return text }
    return isOfFile(text) ? "/etc/roost/\(text)" : path(ofService: text)
  }

  /// Whether a text is the path of a configuration file, there or not, and names no service.
  static func isOfFile(_ text: String) -> Bool { text.hasSuffix(".toml") }

  /// Whether a text is the path of a configuration file that is there, and can't be executed.
  static func isOfExistingFile(_ text: String) -> Bool {
    isOfFile(text) && isFile(text) && !FileManager.default.isExecutableFile(atPath: text)
  }

  /// Why this names no service, if so. Both are asked for by people who mean something else, and nothing is guessed: a reload
  /// has to read what the start has read, whatever lies in the directory by then.
  static func objection(toService text: String, _ command: String) -> String? {
    if isOfFile(text) {
      guard !text.contains("/"), !isFile(text), isFile("/etc/roost/\(text)") else { return nil }
      return "there is no \(text) here; the one in /etc/roost is that of: \(command) \(text.dropLast(5))"
    }
    guard text.contains("/") else { return nil }
    return
      "'\(text)' is no name of a service; a command comes after '--': \(command) -- \(text); a configuration file after"
      + " --config"
  }
}
