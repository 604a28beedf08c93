import ArgumentParser
import Foundation
import RoostConfiguration
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

  func validate() throws {
    if all, selection.name != nil || selection.controlDirectory != nil {
      throw ValidationError("--all doesn't go with a name or --control-directory")
    }
    if noWait, drained || timeout != nil { throw ValidationError("--no-wait doesn't go with --drained or --timeout") }
  }

  func run() throws {
    guard all else {
      return try reload(prefix: "") { timeout in try selection.connect(timeout: timeout) }
    }
    let services = RunningService.all().filter { $0.state != .gone }.map { ($0.name, $0.directory) }
    if services.isEmpty { try Failure.exit("no service is running", Failure.notRunning) }
    var hasFailed = false
    for (name, directory) in services {
      do {
        // Not the connection by which it was found: a master drops those that ask for nothing.
        try reload(prefix: "\(name): ") { timeout in
          do throws(ControlError) {
            return (name, try ControlConnection(directory: directory, timeout: timeout))
          } catch {
            try selection.fail(error, name)
          }
        }
      } catch is ExitCode {
        hasFailed = true  // The reason was given; the other services get their turn.
      }
    }
    if hasFailed { throw ExitCode(1) }
  }

  /// Reloads one service. The prefix, its name or nothing, precedes all that is said about it.
  private func reload(
    prefix: String, _ connect: (TimeInterval) throws -> (name: String, connection: ControlConnection)
  ) throws {
    let deadline = timeout.map { Date(timeIntervalSinceNow: Double($0.wholeMilliseconds) / 1000) }
    let (name, connection) = try connect(min(10, max(0, deadline?.timeIntervalSinceNow ?? 10)))
    do {
      if noWait { return try request(connection, prefix) }
      let parameters: JSON = ["drained": .boolean(drained), "replace": .boolean(replace)]
      try connection.send(VarlinkCall(method: ControlInterface.reload, parameters: parameters, more: true))
      try ReloadWait(name: name, prefix: prefix, isQuiet: quiet, timeout: timeout).follow(connection, until: deadline)
    } catch let error as ControlError {
      if case .gone = error { try Failure.exit("the master of \(name) has gone before the reload ended", 1) }
      try selection.fail(error, name)
    }
  }

  private func request(_ connection: ControlConnection, _ prefix: String) throws {
    // With the answer to another call after it: then the master has taken this one.
    try connection.send(
      VarlinkCall(method: ControlInterface.reload, parameters: ["replace": .boolean(replace)], oneway: true))
    if try connection.status().0.phase == .stopping { try ReloadWait.failStopping(prefix) }
  }
}
