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

  /// Connects to the service, within this time.
  func connect(timeout: TimeInterval = 10) throws -> (name: String, connection: ControlConnection) {
    let (name, found) = try search(timeout: timeout)
    switch found {
    case .success(let connection): return (name, connection)
    case .failure(let error): try fail(error, name)
    }
  }

  /// The same, for commands that can do something without a connection.
  func search(
    timeout: TimeInterval = 10
  ) throws -> (name: String, found: Result<ControlConnection, ControlError>) {
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
    let running = RunningService.all().filter { $0.state != .gone }
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
      let others = RunningService.all().filter { $0.state != .gone }.map(\.name)
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

/// A service of this machine, as its control directory shows it.
struct RunningService {
  enum State {
    case connected(ControlConnection)
    case forbidden
    case gone
    /// It is there, but doesn't take connections.
    case silent(ControlError)

    static func != (one: State, other: State) -> Bool { !(one == other) }
    static func == (one: State, other: State) -> Bool {
      switch (one, other) {
      case (.connected, .connected), (.forbidden, .forbidden), (.gone, .gone), (.silent, .silent): true
      case (.connected, _), (.forbidden, _), (.gone, _), (.silent, _): false
      }
    }
  }

  let name: String
  let directory: String
  let state: State

  /// All that have a control directory in the usual places, by name.
  static func all() -> [RunningService] {
    ControlPlace.roots().flatMap { root in
      ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted().map { name in
        RunningService(name: name, directory: "\(root)/\(name)", state: state("\(root)/\(name)"))
      }
    }
  }

  private static func state(_ directory: String) -> State {
    do {
      return .connected(try ControlConnection(directory: directory, timeout: 2))
    } catch {
      switch error {
      case .notPermitted: return .forbidden
      case .notRunning, .gone: return .gone
      case .timedOut, .refused, .other: return .silent(error)
      }
    }
  }
}
