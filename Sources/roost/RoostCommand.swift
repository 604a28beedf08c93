import ArgumentParser
import RoostMaster

/// The command line.
struct RoostCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "roost",
    abstract: "Supervises servers and reloads them without losing a request.",
    version: Version.number,
    subcommands: [
      RunCommand.self, ReloadCommand.self, StatusCommand.self, StopCommand.self, ScaleCommand.self, ListCommand.self,
      CheckCommand.self, UnitCommand.self, UpgradeCommand.self, MetricsCommand.self, DoctorCommand.self,
    ])
}
