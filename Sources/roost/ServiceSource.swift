import ArgumentParser
import RoostConfiguration
import RoostMaster
import RoostOptions

/// Where it is said what a service is: a configuration file, the command line, or both.
struct ServiceSource: ParsableArguments {
  @Argument(help: ArgumentHelp("The service of /etc/roost/NAME.toml.", valueName: "name"))
  var service: String?

  @Option(help: ArgumentHelp("Read this configuration file.", valueName: "file"))
  var config: String?

  @OptionGroup var options: ServiceOptions

  @Argument(parsing: .postTerminator, help: "The worker's program and its arguments.")
  var command: [String] = []

  /// What is said. `example` is a command line without a file.
  func configuration(example: String) throws -> Configuration {
    if service != nil, config != nil { throw ValidationError("Give a NAME or --config, not both") }
    if file == nil, command.isEmpty {
      throw ValidationError(
        "Say what to run: a NAME or --config for a configuration file, or a command after '--', as in: \(example)")
    }
    let entries = options.entries + (command.isEmpty ? [] : [ServiceOptions.entry("command", command, as: "--")])
    return try Options(file: file, commandLine: entries, directory: try WorkingDirectory.logical()).configuration()
  }

  /// The path of the configuration file, if there is one.
  var file: String? { config ?? service.map { ConfigurationPath.path(ofService: $0) } }

  /// Swift's strings would replace what isn't UTF-8, and a worker would get another argument than was written.
  static func checkEncoding() throws {
    for (index, argument) in CommandLine.arguments.enumerated() {
      guard let bytes = CommandLine.unsafeArgv[index], String(validatingCString: bytes) == nil else { continue }
      throw ValidationError("Argument \(index) isn't UTF-8: '\(argument)'")
    }
  }
}
