import ArgumentParser
import RoostControl
import RoostJSON

struct StopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop",
    abstract: "Drain all workers and end the service.",
    discussion: """
      Returns when the last worker is gone. Under systemd use 'systemctl stop': systemd may restart a service that \
      ends on its own.

      Exit status: 0 it has ended; 3 it wasn't running; 4 this user may not operate it.
      """)

  @OptionGroup var selection: ServiceSelection

  @Flag(help: "Kill the workers instead of draining them. Requests are lost.")
  var atOnce = false

  @Flag(name: [.customShort("q"), .long], help: "Say nothing.")
  var quiet = false

  func run() throws {
    try selection.operate { name, connection in
      var hasEnded = false
      do {
        try connection.send(
          VarlinkCall(method: ControlInterface.stop, parameters: ["atOnce": .boolean(atOnce)], more: !quiet))
        while let reply = try connection.reply(until: nil) {
          if let error = reply.error { throw ControlError.refused(error) }
          if let event: ServiceEvent = reply.parameters.member("event") { Terminal.write(lines: [event.message]) }
          if !reply.continues { break }
        }
        hasEnded = true
        // The socket is closed when the master has ended: only then is its name free again.
        while try connection.reply(until: nil) != nil {}
      } catch ControlError.gone {
        if !hasEnded { try Failure.exit("the master of \(name) has gone before all workers had ended", 1) }
      }
    }
  }
}
