import ArgumentParser
import Foundation
import RoostConfiguration
import RoostCore
import RoostMaster

/// `roost run`: becomes the master.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a service in the foreground.",
    usage: "roost run [<options>] -- COMMAND [ARG ...]",
    discussion: """
      Opens the listeners, starts the workers with them, and keeps them running. On SIGHUP it starts new workers, waits \
      until they are ready, and only then tells the old ones to drain.

      Durations are written 500ms, 30s, 2m or 1m30s.

      Signals: HUP reloads; TERM and INT stop gracefully, a second one at once; QUIT stops at once; TTIN and TTOU add and \
      remove a worker.

      Exit status: 0 stopped as asked; 1 the workers couldn't get ready; 64 wrong usage; 78 something that was asked for \
      can't be had, and nothing was started.
      """)

  @Option(
    name: [.customShort("l"), .long],
    help: ArgumentHelp(
      "Listen here: 8080, 127.0.0.1:8080, [::1]:8080, unix:/run/x.sock, or systemd:NAME to adopt a socket from systemd. Repeatable.",
      valueName: "[name=]address"))
  var listen: [String] = []

  @Option(name: [.customShort("n"), .long], help: "How many workers.")
  var workers = 1

  @Option(
    help: ArgumentHelp(
      "How a worker says that it is ready: READY=1 to NOTIFY_SOCKET, a line to READY_FD, or not at all.",
      valueName: "notify|pipe|none"))
  var ready = Configuration.ReadinessChannel.notify

  @Option(
    help: ArgumentHelp("With --ready none: how long it has to be alive. (default: 1s)", valueName: "duration"),
    transform: Duration.argument)
  var readyAfter: Duration?

  @Option(
    help: ArgumentHelp("How long a worker may take to get ready. (default: 60s)", valueName: "duration"),
    transform: Duration.argument)
  var readyTimeout: Duration?

  @Option(help: "How often each of the first workers is tried.")
  var startAttempts = 3

  @Option(
    help: ArgumentHelp(
      "How long ready new workers are observed before they take over. (default: 1s)", valueName: "duration"),
    transform: Duration.argument)
  var settle: Duration?

  @Option(
    help: ArgumentHelp(
      "How long a worker may take to drain before it is killed. (default: 60s)", valueName: "duration"),
    transform: Duration.argument)
  var drainTimeout: Duration?

  @Option(help: "How many new workers a reload starts at a time. (default: all)")
  var surge: Int?

  @Option(
    help: ArgumentHelp("What asks a worker to drain. (default: TERM)", valueName: "signal"),
    transform: StopSignal.argument)
  var stopSignal: StopSignal?

  @Option(help: "The length of the listeners' accept queues; net.core.somaxconn bounds it.")
  var backlog = 4096

  @Option(help: ArgumentHelp("Keep the master's pid in this file.", valueName: "path"))
  var pidFile: String?

  @Option(help: "The service's name. (default: that of the command's file)")
  var name: String?

  @Flag(help: "Let workers ask for a reload, by X_ROOST_RELOAD=1 to NOTIFY_SOCKET.")
  var allowWorkerReload = false

  @Argument(parsing: .postTerminator, help: "The worker's program and its arguments.")
  var command: [String] = []

  func validate() throws {
    _ = try validated()
  }

  func run() throws {
    let configuration = try validated()
    do {
      try Handover(program: try MasterProgram.path(), configuration: configuration).execute()
    } catch {
      FileHandle.standardError.write(Data("roost: \(error)\n".utf8))
      throw ExitCode(ExitStatus.masterFailed)
    }
  }
}
