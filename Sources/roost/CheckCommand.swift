import ArgumentParser
import RoostConfiguration
import RoostMaster
import RoostOptions

/// `roost check`
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check a configuration file without running anything.",
    discussion: """
      Says everything that is wrong, each with file, line and column.

      Exit status: 0 it can be used; 78 it can't.
      """)

  @Argument(help: ArgumentHelp("The configuration file, or the name of one in /etc/roost.", valueName: "file|name"))
  var file: String

  func run() throws {
    let path = ConfigurationPath.path(of: file)
    do {
      let configuration = try Options(file: path, commandLine: [], directory: try WorkingDirectory.logical())
        .configuration()
      try ReleaseResolver().check(configuration.worker)
      Terminal.write("\(path): valid; \(Self.summary(configuration))\n")
    } catch let problems as Problems {
      try Failure.exit(problems)
    } catch let error as MasterError {
      try Failure.exit("\(path): \(error)", ExitStatus.unusableConfiguration)
    }
  }

  private static func summary(_ configuration: Configuration) -> String {
    let count = configuration.settings.workers
    let listeners = configuration.listeners.map { "\($0.name)=\($0.address)" }
    return "the service \(configuration.name): \(count) \(count == 1 ? "worker" : "workers") of "
      + "\(configuration.worker.command[0])"
      + (listeners.isEmpty ? "" : ", listening on \(listeners.joined(separator: ", "))")
  }
}
