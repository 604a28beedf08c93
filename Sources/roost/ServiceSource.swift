import ArgumentParser
import Glibc
import RoostConfiguration
import RoostMaster
import RoostOptions

/// What defines a service: a configuration file, the command line, or both.
struct ServiceSource: ParsableArguments {
  @Argument(help: ArgumentHelp("The service of /etc/roost/NAME.toml.", valueName: "name"))
  var service: String?

  @Option(help: ArgumentHelp("Read this configuration file.", valueName: "file"))
  var config: String?

  @OptionGroup var options: ServiceOptions

  @Argument(parsing: .postTerminator, help: "The worker's program and its arguments.")
  var command: [String] = []

  /// The configuration. `example` is a command line without a file; `isReadAgain` if it is read for a reload.
  func configuration(example: String, isReadAgain: Bool = false) throws -> Configuration {
    if service != nil, config != nil { throw ValidationError("Give a NAME or --config, not both") }
    if file == nil, command.isEmpty {
      throw ValidationError(
        "Say what to run: a NAME or --config for a configuration file, or a command after '--', as in: \(example)")
    }
    if !isReadAgain { try check(example) }
    let entries = options.entries + (command.isEmpty ? [] : [ServiceOptions.entry("command", command, as: "--")])
    return try Options(
      file: file, commandLine: entries, directory: try WorkingDirectory.logical(), isReadAgain: isReadAgain
    ).configuration()
  }

  /// Where the record of what has served is, as far as that is known if the file can't be used.
  func historyDirectory() -> String? {
    guard let file, let directory = try? WorkingDirectory.logical() else { return nil }
    var status = stat()
    // Nothing is left of a pipe, and reading it again would wait.
    let isFile = stat(file, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    let readable = isFile ? try? Options(file: file, commandLine: options.entries, directory: directory) : nil
    return (readable ?? Options(unreadable: file, commandLine: options.entries, directory: directory)).historyDirectory
  }

  /// The path of the configuration file, if there is one. `web.toml` is one, by any path.
  var file: String? {
    config ?? service.map { ConfigurationPath.isOfFile($0) ? $0 : ConfigurationPath.path(ofService: $0) }
  }

  /// Says what to type if what was typed means something else.
  private func check(_ example: String) throws {
    // `roost run` or `roost doctor`
    let words = example.split(separator: " ").prefix(2).joined(separator: " ")
    if let service, let objection = ConfigurationPath.objection(toService: service, words) {
      throw ValidationError(objection)
    }
    guard service == nil, config == nil, command.count == 1, ConfigurationPath.isOfExistingFile(command[0]) else {
      return
    }
    throw ValidationError(
      "'\(command[0])' is a configuration file, not a command: \(words) --config \(command[0])")
  }
}
