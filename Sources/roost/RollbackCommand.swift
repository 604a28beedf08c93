import ArgumentParser
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

  @OptionGroup var wait: ReloadWait

  func run() throws {
    var selection = selection
    var generation = generation
    // If only one service runs, its name may be left out, and a number comes first.
    if generation == nil, let number = selection.name.flatMap({ Int($0) }),
      !RunningService.all().contains(where: { $0.name == selection.name })
    {
      selection.name = nil
      generation = number
    }
    let parameters: JSON = ["generation": generation.map(JSON.integer) ?? .null, "drained": .boolean(wait.drained)]
    try wait.operate(selection) { name, connection, deadline in
      try connection.send(VarlinkCall(method: ControlInterface.rollback, parameters: parameters, more: true))
      try wait.follow(connection, of: name, until: deadline)
    }
  }
}
