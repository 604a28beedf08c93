import ArgumentParser
import Foundation
import RoostConfiguration
import RoostControl
import RoostJSON

/// Waits for the verdict of a reload that was asked for.
struct ReloadWait {
  /// The service.
  let name: String
  /// Its name or nothing: what stands before all that is told of it.
  let prefix: String
  let isQuiet: Bool
  /// How long it waits at most.
  let timeout: Duration?

  /// Shows how it goes on, and ends with the verdict.
  func follow(_ connection: ControlConnection, until deadline: Date?) throws {
    // The first word of the master's comes at once.
    var patience: Date? = Date(timeIntervalSinceNow: Self.patience)
    let progress: ProgressView =
      isQuiet
      ? SilentProgress()
      : (Terminal.isInteractive ? LiveProgress(prefix: prefix) as ProgressView : PlainProgress(prefix: prefix))
    while true {
      let refresh = progress.refreshInterval.map { Date(timeIntervalSinceNow: $0) }
      guard let reply = try connection.reply(until: [refresh, deadline, patience].compactMap(\.self).min()) else {
        if let end = patience, end.timeIntervalSinceNow <= 0 {
          patience = nil
          Failure.tell(
            "\(prefix)the master hasn't taken the call yet: it may have no descriptor left, or be stopped; still waiting"
          )
        }
        if let deadline, deadline.timeIntervalSinceNow <= 0 {
          progress.finish()
          try Failure.exit(
            "\(prefix)no verdict within \(timeout?.text ?? ""); the reload goes on, 'roost status' shows how far it is",
            Failure.timedOut)
        }
        progress.refresh()
        continue
      }
      patience = nil
      if reply.continues {
        if let event = reply.parameters["event"] { progress.show(event) }
        continue
      }
      progress.finish()
      return try conclude(reply)
    }
  }

  /// How long the master may take for its first word, in seconds.
  private static let patience: TimeInterval = 5

  static func failStopping(_ prefix: String) throws -> Never {
    try Failure.exit("\(prefix)the service is being stopped: no reload takes place", 1)
  }

  private func conclude(_ reply: VarlinkReply) throws {
    let verdict = reply.parameters["verdict"]
    switch reply.error {
    case nil:
      if !isQuiet, Terminal.isInteractive {
        Terminal.write(
          Terminal.styled("✓ ", .green) + prefix + (verdict?.string("message") ?? "the reload succeeded") + "\n")
      }
    case ControlInterface.reloadFailed:
      // Of `systemctl reload`: the master has told it there, and what the worker wrote stands there as well.
      if Failure.isToldInJournal(of: name) { throw ExitCode(1) }
      let words = (verdict?.array("lastWords") ?? []).compactMap { line -> String? in
        guard case .string(let line) = line else { return nil }
        return "\n  | \(line)"
      }
      let intro = words.isEmpty ? "" : "; the last that it wrote to stderr:"
      try Failure.exit(prefix + (verdict?.string("message") ?? "the reload failed") + intro + words.joined(), 1)
    case ControlInterface.nothingToRollBackTo:
      try Failure.exit(
        "\(prefix)\(reply.parameters.string("reason") ?? "nothing is recorded"); 'roost history' shows what is", 1)
    case ControlInterface.serviceStops:
      try Self.failStopping(prefix)
    case .some(let other):
      throw ControlError.refused(other)
    }
  }
}
