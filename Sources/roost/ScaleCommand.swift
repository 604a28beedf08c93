import ArgumentParser
import RoostControl
import RoostCore
import RoostJSON

/// `roost scale`
struct ScaleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scale",
    abstract: "Change the number of workers.",
    usage: "roost scale <workers> [<name>]",
    discussion: """
      Holds until it is changed again, or a reload reads another number from the configuration.

      Exit status: 0 it is changed; 3 the service isn't running; 4 this user may not operate it.
      """)

  @Argument(help: "How many workers there are to be.")
  var workers: Int

  @OptionGroup var selection: ServiceSelection

  func validate() throws {
    guard (1...Settings.maximumWorkers).contains(workers) else {
      throw ValidationError("\(workers) workers can't be: use 1 to \(Settings.maximumWorkers)")
    }
  }

  func run() throws {
    let (name, connection) = try selection.connect()
    do {
      let answer = try connection.call(ControlInterface.scale, ["workers": .integer(workers)])
      Terminal.write("\(name): \(answer.integer("workersBefore") ?? 0) → \(workers) workers\n")
    } catch {
      try selection.fail(error, name)
    }
  }
}
