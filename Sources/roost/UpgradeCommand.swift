import ArgumentParser
import RoostControl
import RoostJSON
import RoostMaster

struct UpgradeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upgrade",
    abstract: "Have a running master execute its own new binary in place.",
    discussion: """
      Run it when another version of Roost was installed. The master keeps its pid, its listeners, its workers and all \
      that is in progress; no worker notices. The new binary first proves that it can take over the state of the \
      running one. If it can't, nothing changes, and the reason is printed.

      Exit status: 0 the new binary runs; 1 it was refused, and the former one keeps running; 3 the service isn't \
      running; 4 this user may not operate it. With --all, 0 also if no service is running.
      """)

  @OptionGroup var selection: ServiceSelection

  @Flag(help: "Upgrade the master of every service that is running on this machine.")
  var all = false

  func validate() throws {
    if all, selection.name != nil || selection.controlDirectory != nil {
      throw ValidationError("--all doesn't go with a name or --control-directory")
    }
  }

  func run() throws {
    guard all else {
      let (name, connection) = try selection.connect()
      return try upgrade(name, connection)
    }
    var failed: ExitCode?
    let services = RunningService.all().filter { $0.state != .gone }
    // Not a failure: nothing runs a former version, which is what matters after the installation of a new one.
    if services.isEmpty { return Terminal.write("no service is running\n") }
    for service in services {
      do {
        switch service.state {
        case .gone: continue
        case .forbidden: try selection.fail(.notPermitted, service.name)
        case .silent(let error): try selection.fail(error, service.name)
        case .connected(let connection): try upgrade(service.name, connection)
        }
      } catch let code as ExitCode {
        failed = code  // The reason was given; the other services get their turn.
      }
    }
    if let failed { throw failed }
  }

  private func upgrade(_ name: String, _ connection: ControlConnection) throws {
    let reply: VarlinkReply?
    do {
      try connection.send(VarlinkCall(method: ControlInterface.upgrade))
      reply = try connection.reply(until: .init(timeIntervalSinceNow: 30))
    } catch {
      try selection.fail(error, name)
    }
    guard let reply else { try selection.fail(.timedOut, name) }
    switch reply.error {
    case nil:
      let before = reply.parameters.member("versionBefore") ?? "?"
      Terminal.write(
        "\(name): upgraded from version \(before) to version \(reply.parameters.member("version") ?? "?")\n")
    case ControlInterface.upgradeRefused:
      let reason = reply.parameters.member("reason") ?? "the master doesn't say why"
      try Failure.exit("\(name): upgrade refused, the former version keeps running: \(reason)", 1)
    case VarlinkService.methodNotFound:
      try Failure.exit("\(name): the version of the running master doesn't support upgrades; restart the service", 1)
    case .some(let other): try selection.fail(.refused(other), name)
    }
  }
}
