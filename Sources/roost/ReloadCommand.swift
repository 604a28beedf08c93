import ArgumentParser
import RoostControl
import RoostJSON

struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Replace the workers with new ones, and wait for the verdict.",
    discussion: """
      Returns when the new workers serve, or when it is certain that they won't: then the old ones continue, and the \
      reason is printed together with the last lines of the failed worker.

      Exit status: 0 the new generation serves; 1 it doesn't; 3 the service isn't running; 4 this user may not operate \
      it; 124 there was no verdict within --timeout, and the reload continues. With --all: 0 each one serves its new \
      generation; 1 one doesn't, for whatever reason; 3 no service is running.
      """)

  @OptionGroup var selection: ServiceSelection

  @Flag(help: "Reload every service that is running on this machine, one after the other. The options apply to each.")
  var all = false

  @Flag(help: "End a running reload and start a new one, instead of waiting for its end.")
  var replace = false

  @Flag(help: "Only ask for the reload.")
  var noWait = false

  @OptionGroup var wait: ReloadWait

  func validate() throws {
    try selection.check(all: all)
    if noWait, wait.drained || wait.timeout != nil {
      throw ValidationError("--no-wait doesn't go with --drained or --timeout")
    }
  }

  func run() throws {
    guard all else { return try reload(selection) }
    let services = ServiceSelection.running
    if services.isEmpty { try Failure.exit("no service is running", Failure.notRunning) }
    // Not by the connections by which they were found: a master drops those that ask for nothing.
    if try services.lastFailure(of: { try reload($0, prefix: "\($0.name ?? ""): ") }) != nil { throw ExitCode(1) }
  }

  /// Reloads one service. The prefix precedes all that is said about it.
  private func reload(_ selection: ServiceSelection, prefix: String = "") throws {
    try wait.operate(selection) { name, connection, deadline in
      if noWait { return try request(connection, prefix) }
      let parameters: JSON = ["drained": .boolean(wait.drained), "replace": .boolean(replace)]
      try connection.send(VarlinkCall(method: ControlInterface.reload, parameters: parameters, more: true))
      try wait.follow(connection, of: name, prefix: prefix, until: deadline)
    }
  }

  private func request(_ connection: ControlConnection, _ prefix: String) throws {
    // With the answer to another call after it: then the master has taken this one.
    try connection.send(
      VarlinkCall(method: ControlInterface.reload, parameters: ["replace": .boolean(replace)], oneway: true))
    if try connection.status().0.phase == .stopping { try ReloadWait.failStopping(prefix) }
  }
}
