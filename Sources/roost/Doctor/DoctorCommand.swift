import ArgumentParser
import Glibc
import RoostConfiguration
import RoostMaster
import RoostOptions

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Test a worker on its own, or compare a unit with its configuration.",
    usage: """
      roost doctor [<options>] -- COMMAND [ARG ...]
      roost doctor [<options>] NAME            (reads /etc/roost/NAME.toml)
      roost doctor [<options>] --config FILE
      roost doctor --unit UNIT
      """,
    discussion: """
      Runs the worker, sends it a few hundred requests, tells it to stop, and lets another take over from it. Reports \
      for each part of the contract whether the worker keeps it, and how to fix it if not (docs/doctor.md). Takes the \
      options of 'roost run'. An address that is in use, for example by the running service, is left alone: the worker \
      gets another one. Without --listen a command gets http=127.0.0.1:0, a port that the kernel chooses.

      Exit status: 0 all is well, perhaps with warnings; 1 something failed; 64 wrong usage; 78 it can't be run; 130 \
      or 143 interrupted.
      """)

  @OptionGroup var source: ServiceSource

  @Option(help: ArgumentHelp("What to request.", valueName: "path"))
  var path = "/"

  @Option(
    help: ArgumentHelp(
      "A request that takes about a second: it is in flight when the worker is told to stop.", valueName: "path"))
  var slowPath: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Whether the worker speaks HTTP/1.1 on its first listener. Otherwise clients only connect to it.")
  var http = true

  @Flag(help: "Show what the worker writes.")
  var output = false

  @Option(help: ArgumentHelp("Compare this systemd unit with the configuration that it runs.", valueName: "unit"))
  var unit: String?

  @Flag(help: "Print the findings as JSON.")
  var json = false

  func validate() throws {
    for path in [path, slowPath].compactMap(\.self) where !path.hasPrefix("/") || path.contains(where: \.isWhitespace) {
      throw ValidationError("'\(path)' isn't a request path: it has to begin with '/' and have no spaces")
    }
    if unit != nil, !source.command.isEmpty { throw ValidationError("--unit and a command contradict each other") }
    if slowPath != nil, !http { throw ValidationError("--slow-path and --no-http contradict each other") }
  }

  func run() throws {
    try Failure.telling(ExitStatus.unusableConfiguration) {
      do {
        if try unit.map(examineUnit) ?? examineWorker() { throw ExitCode(1) }
      } catch TrialError.interrupted(let signal) {
        throw ExitCode(128 + signal)
      } catch TrialError.deaf(let error) {
        try Failure.exit("\(error)", ExitStatus.masterFailed)
      }
    }
  }

  /// Whether something failed.
  private func examineWorker() throws -> Bool {
    // Otherwise it would find nothing wrong where it can't look.
    guard access("/proc/self/fd", R_OK) == 0 else {
      throw MasterError("the doctor looks at what a worker has open and leaves behind, which it can't without /proc")
    }
    var wanted = source
    if source.file == nil, source.options.value("listen") == nil { wanted.options.set("listen", ["http=127.0.0.1:0"]) }
    var configuration = try ManagedSignals.endable {
      try wanted.configuration(example: "roost doctor -- ./server --verbose")
    }
    for index in configuration.listeners.indices {
      // systemd hasn't passed them here: their names matter, and not where they are.
      guard case .systemd = configuration.listeners[index].address else { continue }
      configuration.listeners[index].address = .tcp(.ipv4("127.0.0.1"), port: 0)
    }
    let trial = try Trial(configuration, showsOutput: output)
    defer { trial.end() }
    let report = DoctorReport(isJSON: json, names: Check.allCases.map(\.rawValue))
    let listeners = trial.listeners.map(\.title).joined(separator: ", ")
    report.headline(
      "\(configuration.worker.command.joined(separator: " "))" + (listeners.isEmpty ? "" : ", on \(listeners)"))
    for listener in trial.listeners {
      guard let taken = listener.takenAddress else { continue }
      report.note("\(taken) is in use, as by the service that runs: the worker gets \(listener.title) in its place")
    }
    let examination = Examination(
      trial, configuration, options: ExaminationOptions(path: path, slowPath: slowPath, speaksHTTP: http),
      report: report)
    try examination.run()
    report.end(skipped: examination.skipped)
    return report.hasFailed
  }

  private func examineUnit(_ name: String) throws -> Bool {
    ManagedSignals.unblock()
    let report = DoctorReport(isJSON: json, names: UnitExamination.properties)
    try UnitExamination(name, report: report).run(source)
    report.end(skipped: [])
    return report.hasFailed
  }
}
