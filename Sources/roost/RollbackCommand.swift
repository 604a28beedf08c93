import ArgumentParser
import Foundation
import RoostConfiguration
import RoostControl
import RoostJSON

struct RollbackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback",
    abstract: "Bring back a release that has served, with its own configuration.",
    discussion: """
      A reload like any other, to what a former generation ran: the given one, or else the newest that has proved \
      itself and runs something else. It holds until the next reload, even across a restart, and 'roost status' says \
      that what serves isn't what is configured.

      Exit status: 0 it serves; 1 it doesn't, or there is no record of it; 3 the service isn't running; 4 this user \
      may not operate it; 124 there was no verdict within --timeout, and the reload continues.
      """)

  @OptionGroup var selection: ServiceSelection

  @Argument(help: "The generation whose release comes back; 'roost history' lists them.")
  var generation: Int?

  @Flag(help: "Wait until the last old worker is gone, too.")
  var drained = false

  @Flag(name: [.customShort("q"), .long], help: "Print nothing except why it failed.")
  var quiet = false

  @Option(
    help: ArgumentHelp("How long to wait for the verdict. (default: as long as it takes)", valueName: "duration"),
    transform: { text in
      do { return try Duration(parsing: text) } catch { throw ValidationError("\(error)") }
    })
  var timeout: Duration?

  func run() throws {
    var selection = selection
    var generation = generation
    // If only one service runs, its name may be left out, and a number comes first.
    if generation == nil, let number = selection.name.flatMap({ Int($0) }),
      !RunningService.all().contains(where: { $0.name == selection.name && $0.state != .gone })
    {
      selection.name = nil
      generation = number
    }
    let deadline = timeout.map { Date(timeIntervalSinceNow: Double($0.wholeMilliseconds) / 1000) }
    let (name, connection) = try selection.connect(timeout: min(10, max(0, deadline?.timeIntervalSinceNow ?? 10)))
    do {
      let parameters: JSON = [
        "generation": generation.map(JSON.integer) ?? .null, "drained": .boolean(drained),
      ]
      try connection.send(VarlinkCall(method: ControlInterface.rollback, parameters: parameters, more: true))
      try ReloadWait(name: name, prefix: "", isQuiet: quiet, timeout: timeout).follow(connection, until: deadline)
    } catch let error as ControlError {
      if case .gone = error { try Failure.exit("the master of \(name) has gone before the reload ended", 1) }
      try selection.fail(error, name)
    }
  }
}
