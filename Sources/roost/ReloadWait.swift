import ArgumentParser
import Foundation
import RoostConfiguration
import RoostControl
import RoostJSON

/// How a command waits for the verdict of the reload that it requests.
struct ReloadWait: ParsableArguments {
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

  /// Connects to a service and does this there, with the deadline for the verdict.
  func operate(
    _ selection: ServiceSelection, _ body: (String, ControlConnection, _ deadline: Date?) throws -> Void
  ) throws {
    let deadline = timeout.map { Date(timeIntervalSinceNow: Double($0.wholeMilliseconds) / 1000) }
    try selection.operate(timeout: min(10, max(0, deadline?.timeIntervalSinceNow ?? 10))) { name, connection in
      do {
        try body(name, connection, deadline)
      } catch ControlError.gone {
        try Failure.exit("the master of \(name) has gone before the reload ended", 1)
      }
    }
  }

  /// Shows the progress, and ends with the verdict. The prefix precedes all that is said about it.
  func follow(_ connection: ControlConnection, of name: String, prefix: String = "", until deadline: Date?) throws {
    // The master's first reply comes at once.
    var patience: Date? = Date(timeIntervalSinceNow: Self.patience)
    let shown: ProgressView =
      Terminal.isInteractive ? LiveProgress(prefix: prefix) : PlainProgress(prefix: prefix)
    let progress = quiet ? nil : shown
    while true {
      let refresh = progress?.refreshInterval.map { Date(timeIntervalSinceNow: $0) }
      guard let reply = try connection.reply(until: [refresh, deadline, patience].compactMap(\.self).min()) else {
        if let end = patience, end.timeIntervalSinceNow <= 0 {
          patience = nil
          Failure.tell(
            "\(prefix)the master hasn't taken the call yet: it may have no descriptor left, or be stopped; still waiting"
          )
        }
        if let deadline, deadline.timeIntervalSinceNow <= 0 {
          progress?.finish()
          try Failure.exit(
            "\(prefix)no verdict within \(timeout?.text ?? ""); the reload continues, 'roost status' shows its"
              + " progress",
            Failure.timedOut)
        }
        progress?.refresh()
        continue
      }
      patience = nil
      if reply.continues {
        if let event: ServiceEvent = reply.parameters.member("event") { progress?.show(event) }
        continue
      }
      progress?.finish()
      return try conclude(reply, of: name, prefix)
    }
  }

  /// How long the master may take for its first reply, in seconds.
  private static let patience: TimeInterval = 5

  static func failStopping(_ prefix: String) throws -> Never {
    try Failure.exit("\(prefix)the service is being stopped: no reload takes place", 1)
  }

  private func conclude(_ reply: VarlinkReply, of name: String, _ prefix: String) throws {
    let verdict: ReloadVerdict? = reply.parameters.member("verdict")
    switch reply.error {
    case nil:
      if !quiet, Terminal.isInteractive {
        Terminal.write(
          Terminal.styled("✓ ", .green) + prefix + (verdict?.message ?? "the reload succeeded") + "\n")
      }
    case ControlInterface.reloadFailed:
      // With `systemctl reload`, the master has already written it there, and what the worker wrote is there as well.
      if Failure.isToldInJournal(of: name) { throw ExitCode(1) }
      let words = (verdict?.lastWords ?? []).map { "\n  | \($0)" }
      let intro = words.isEmpty ? "" : "; its last lines on stderr:"
      try Failure.exit(prefix + (verdict?.message ?? "the reload failed") + intro + words.joined(), 1)
    case ControlInterface.nothingToRollBackTo:
      try Failure.exit(
        "\(prefix)\(reply.parameters.member("reason") ?? "nothing is recorded"); 'roost history' shows what is", 1)
    case ControlInterface.serviceStops:
      try Self.failStopping(prefix)
    case .some(let other):
      throw ControlError.refused(other)
    }
  }
}
