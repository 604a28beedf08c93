import ArgumentParser
import Foundation
import RoostMaster

struct RoostCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "roost",
    abstract: "Supervises servers and reloads them without losing a request.",
    version: Version.number,
    subcommands: [
      RunCommand.self, ReloadCommand.self, RollbackCommand.self, CancelCommand.self, StatusCommand.self,
      HistoryCommand.self, LogsCommand.self, StopCommand.self, ScaleCommand.self, ListCommand.self, CheckCommand.self,
      UnitCommand.self, UpgradeCommand.self, MetricsCommand.self, DoctorCommand.self,
    ])

  /// Without a subcommand nothing was done, and a script that has lost its words mustn't take that for success.
  func run() throws {
    FileHandle.standardError.write(Data((Self.helpMessage() + "\n").utf8))
    throw ExitCode.validationFailure
  }
}
