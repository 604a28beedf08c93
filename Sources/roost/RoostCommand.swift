import ArgumentParser

/// The command line.
struct RoostCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "roost",
    abstract: "Supervises servers and reloads them without losing a request.",
    version: "0.1.0",
    subcommands: [RunCommand.self])
}
