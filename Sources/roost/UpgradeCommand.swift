import ArgumentParser
import RoostControl
import RoostJSON

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
    try selection.check(all: all)
  }

  func run() throws {
    guard all else { return try upgrade(selection) }
    let services = ServiceSelection.running
    // Not a failure: nothing runs a former version, which is what matters after the installation of a new one.
    if services.isEmpty { return Terminal.write("no service is running\n") }
    if let failure = try services.lastFailure(of: upgrade) { throw failure }
  }

  private func upgrade(_ selection: ServiceSelection) throws {
    try selection.operate { name, connection in
      try connection.send(VarlinkCall(method: ControlInterface.upgrade))
      guard let reply = try connection.reply(until: .init(timeIntervalSinceNow: 30)) else {
        throw ControlError.timedOut
      }
      try conclude(reply, of: name)
    }
  }

  private func conclude(_ reply: VarlinkReply, of name: String) throws {
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
    case .some(let other): throw ControlError.refused(other)
    }
  }
}
