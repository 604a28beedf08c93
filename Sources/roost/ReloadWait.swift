import ArgumentParser
import Foundation
import RoostConfiguration
import RoostControl
import RoostJSON

/// Waits for the verdict of a requested reload.
struct ReloadWait {
  /// The service.
  let name: String
  /// Its name or nothing: precedes all that is said about it.
  let prefix: String
  let isQuiet: Bool
  /// The longest wait.
  let timeout: Duration?

  /// Shows the progress, and ends with the verdict.
  func follow(_ connection: ControlConnection, until deadline: Date?) throws {
    // The master's first reply comes at once.
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
            "\(prefix)no verdict within \(timeout?.text ?? ""); the reload continues, 'roost status' shows its"
              + " progress",
            Failure.timedOut)
        }
        progress.refresh()
        continue
      }
      patience = nil
      if reply.continues {
        if let event: ServiceEvent = reply.parameters.member("event") { progress.show(event) }
        continue
      }
      progress.finish()
      return try conclude(reply)
    }
  }

  /// How long the master may take for its first reply, in seconds.
  private static let patience: TimeInterval = 5

  static func failStopping(_ prefix: String) throws -> Never {
    try Failure.exit("\(prefix)the service is being stopped: no reload takes place", 1)
  }

  private func conclude(_ reply: VarlinkReply) throws {
    let verdict: ReloadVerdict? = reply.parameters.member("verdict")
    switch reply.error {
    case nil:
      if !isQuiet, Terminal.isInteractive {
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
