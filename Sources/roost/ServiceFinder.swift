import ArgumentParser
import Foundation
import RoostControl
import RoostJSON
import RoostMaster

/// Which service a command is about.
struct ServiceSelection: ParsableArguments {
  @Argument(help: "The service's name. Not needed if only one is running.")
  var name: String?

  @Option(help: ArgumentHelp("Where its control socket is, if not in the usual place.", valueName: "path"))
  var controlDirectory: String?

  /// Connects to the service, within this time, and does something there. Says why if that isn't possible; before that,
  /// `unreachable` may do without a connection.
  func operate(
    timeout: TimeInterval = 10, orElse unreachable: (String, ControlError) throws -> Void = { _, _ in },
    _ body: (String, ControlConnection) throws -> Void
  ) throws {
    let (name, found) = try search(timeout)
    do {
      if case .failure(let error) = found { try unreachable(name, error) }
      try body(name, try found.get())
    } catch let error as ControlError {
      try fail(error, name)
    }
  }

  /// All services that run on this machine.
  static var running: [ServiceSelection] {
    RunningService.all().map { service in
      var selection = ServiceSelection()
      (selection.name, selection.controlDirectory) = (service.name, service.directory)
      return selection
    }
  }

  /// Objects to a choice beside the option for all services.
  func check(all: Bool) throws {
    if all, name != nil || controlDirectory != nil {
      throw ValidationError("--all doesn't go with a name or --control-directory")
    }
  }

  private func search(_ timeout: TimeInterval) throws -> (String, Result<ControlConnection, ControlError>) {
    let (name, directories) = try places()
    var isForbidden = false
    for directory in directories {
      do {
        let connection = try ControlConnection(directory: directory, timeout: timeout)
        if try isWanted(connection, in: directory, timeout) { return (name, .success(connection)) }
      } catch {
        switch error {
        case .notRunning: continue
        case .notPermitted: isForbidden = true
        case .gone, .timedOut, .refused, .other: return (name, .failure(error))
        }
      }
    }
    return (name, .failure(isForbidden ? .notPermitted : .notRunning))
  }

  /// A name means the service of that name or none: a directory of another name may belong to another service, for
  /// example if a worker or hook has inherited systemd's RUNTIME_DIRECTORY.
  private func isWanted(
    _ connection: ControlConnection, in directory: String, _ timeout: TimeInterval
  ) throws(ControlError) -> Bool {
    guard let name, Self.lastComponent(of: directory) != name else { return true }
    return try connection.call(ControlInterface.status, timeout: timeout)["service"]?.member("name") == name
  }

  private static func lastComponent(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? ""
  }

  private func places() throws -> (name: String, directories: [String]) {
    if let controlDirectory { return (name ?? controlDirectory, [controlDirectory]) }
    // What systemd tells the unit's commands.
    let own = ControlPlace.runtimeDirectory().map { [$0] } ?? []
    if let name {
      guard !name.contains("/"), !name.isEmpty, !name.hasPrefix(".") else {
        try Failure.exit("'\(name)' isn't the name of a service", ExitCode.validationFailure.rawValue)
      }
      let usual = ControlPlace.roots().map { "\($0)/\(name)" }
      return (name, own.first.map(Self.lastComponent) == name ? own + usual : usual + own)
    }
    if let directory = own.first { return (Self.lastComponent(of: directory), own) }
    let running = RunningService.all()
    if running.count > 1 {
      let names = running.map(\.name).joined(separator: ", ")
      try Failure.exit("several services are running, say which: \(names)", ExitCode.validationFailure.rawValue)
    }
    guard let only = running.first else { try Failure.exit("no service is running", Failure.notRunning) }
    return (only.name, [only.directory])
  }

  /// Says why a service can't be operated, and ends.
  func fail(_ error: ControlError, _ name: String) throws -> Never {
    switch error {
    case .notRunning:
      let others = RunningService.all().map(\.name)
      let hint = others.isEmpty ? "no service is" : "running: \(others.joined(separator: ", "))"
      try Failure.exit("the service \(name) is not running (\(hint))", Failure.notRunning)
    case .notPermitted:
      try Failure.exit(
        "user \(geteuid()) may not operate the service \(name): only root, its master's user and its control-group may",
        Failure.notPermitted)
    case .gone: try Failure.exit("the master of \(name) has ended the connection", 1)
    case .timedOut: try Failure.exit("the master of \(name) doesn't answer", Failure.timedOut)
    case .refused(let name) where name == ControlInterface.serviceStops:
      try Failure.exit("the service is being stopped", 1)
    case .refused(let name): try Failure.exit("the master has answered \(name)", 1)
    case .other(let text): try Failure.exit(text, 1)
    }
  }
}

extension [ServiceSelection] {
  /// Does this for each, one after the other. Returns the status of the last that has failed: the reason was given, and
  /// the others get their turn.
  func lastFailure(of body: (ServiceSelection) throws -> Void) throws -> ExitCode? {
    var failure: ExitCode?
    for service in self {
      do { try body(service) } catch let code as ExitCode { failure = code }
    }
    return failure
  }
}

/// A service of this machine, as its control directory shows it.
struct RunningService {
  let name: String
  let directory: String
  let connection: Result<ControlConnection, ControlError>

  /// All that have a control directory in the usual places, by name, unless nobody is there any more.
  static func all() -> [RunningService] {
    ControlPlace.roots().flatMap { root in
      ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted().compactMap { name in
        let directory = "\(root)/\(name)"
        let connection = Result { () throws(ControlError) in try ControlConnection(directory: directory, timeout: 2) }
        if case .failure(.notRunning) = connection { return nil }
        return RunningService(name: name, directory: directory, connection: connection)
      }
    }
  }
}
