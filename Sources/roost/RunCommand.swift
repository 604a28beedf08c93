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
      roost run [<options>] --config FILE
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
      let read = try ManagedSignals.endable { try configuration() }
      try Handover(program: try MasterProgram.path(), reader: try reader(), configuration: read).execute()
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

  /// A path as it is; anything without a slash that is no file here names a service.
  static func path(of text: String) -> String {
    text.contains("/") || isFile(text) ? text : path(ofService: text)
  }
}
