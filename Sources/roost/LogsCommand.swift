import ArgumentParser
import RoostControl

struct LogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs",
    abstract: "Show what a service and its workers have written.",
    discussion: """
      For a systemd unit, its journal, by journalctl(1), even if the service isn't running. Without a journal, the \
      last lines that each worker wrote to stderr, as the master has kept them.

      Exit status: 0 they are shown; 1 there is no journal to follow; 3 the service isn't running, and the journal has \
      nothing of it; 4 this user may not operate it. If journalctl is executed, its exit status.
      """)

  /// Enough for the start and a few reloads.
  private static let usualLines = 100

  @OptionGroup var selection: ServiceSelection

  @Flag(name: .shortAndLong, help: "Keep showing new lines, until Ctrl-C.")
  var follow = false

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp(
      "Show this many of the last lines, of the journal or of each worker. (default: \(usualLines), all with --since)",
      valueName: "number"))
  var lines: Int?

  @Option(help: ArgumentHelp("Show what was written since then, as journalctl(1) reads it.", valueName: "time"))
  var since: String?

  func validate() throws {
    if let lines, lines < 0 { throw ValidationError("--lines is less than 0") }
  }

  func run() throws {
    try selection.operate(orElse: searchJournal, show)
  }

  private func searchJournal(_ name: String, _ error: ControlError) throws {
    switch error {
    case .notRunning, .notPermitted, .timedOut:
      // A path isn't the name of a unit.
      if selection.controlDirectory == nil || selection.name != nil {
        try ServiceJournal(ofService: name)?.show(journalArguments)
      }
    case .gone, .refused, .other: break
    }
  }

  private var journalArguments: [String] {
    var arguments = follow ? ["--follow"] : []
    if let since { arguments.append("--since=\(since)") }
    if let lines = lines ?? (since == nil ? Self.usualLines : nil) { arguments.append("--lines=\(lines)") }
    return arguments
  }

  private func show(_ name: String, _ connection: ControlConnection) throws {
    let (status, _) = try connection.status()
    try ServiceJournal(ofMaster: Int(status.pid))?.show(journalArguments)
    let outputs: [LastOutput] = try connection.call(ControlInterface.logs)["outputs"]?.answer() ?? []
    if follow || since != nil {
      try Failure.exit(
        "the service \(name) doesn't write to the journal, so there is nothing to \(follow ? "follow" : "search"):"
          + " its log is where the master's stderr leads", 1)
    }
    Failure.tell("the service \(name) doesn't write to the journal; the last lines of its workers:")
    Terminal.write(lines: outputs.flatMap { text($0) })
    if let verdict = status.lastReload, !verdict.succeeded {
      Terminal.write(lines: [verdict.message] + quoted(verdict.lastWords))
    }
  }

  private func text(_ output: LastOutput) -> [String] {
    let numbers = "slot \(output.slot), generation \(output.generation)"
    let title = "worker \(output.pid) (\(numbers))\(output.hasExited ? ", which has exited" : "")"
    guard let lines = output.lines else { return ["\(title): writes to the master's stderr itself (direct-stderr)"] }
    return lines.isEmpty ? ["\(title): nothing"] : ["\(title):"] + quoted(lines)
  }

  private func quoted(_ texts: [String]) -> [String] {
    texts.suffix(lines ?? texts.count).map { "  | \($0)" }
  }
}
