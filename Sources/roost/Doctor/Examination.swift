import RoostConfiguration
import RoostMaster

/// What the doctor was asked to do besides.
struct ExaminationOptions {
  let path: String
  /// What takes a while to answer.
  let slowPath: String?
  let speaksHTTP: Bool
}

/// Runs a worker on its own and checks how it keeps its contract (docs/protocol.md), then lets another take over from
/// it.
final class Examination {
  /// How long a request may take.
  static let patience: Duration = .seconds(5)

  let trial: Trial
  let options: ExaminationOptions
  let report: DoctorReport
  let configuration: Configuration
  /// Whether the worker was seen to keep connections alive.
  var keepsAlive = false

  init(_ trial: Trial, _ configuration: Configuration, options: ExaminationOptions, report: DoctorReport) {
    self.trial = trial
    self.configuration = configuration
    self.options = options
    self.report = report
  }

  /// The listeners that clients connect to.
  var streams: [TrialListener] { trial.listeners.filter { $0.address != nil } }
  /// The one that requests go to.
  var target: TrialAddress? { streams.first?.address }

  /// Makes every check that can be made.
  func run() throws {
    checkRelease()
    let worker = try trial.start()
    guard try checkReadiness(of: worker) else { return }
    let isOpen = checkSockets(isLast: false)
    let takesSockets = try isOpen && checkListeners(of: worker)
    let answers = try takesSockets && checkRequests(to: worker)
    if isOpen { checkBacklog() }
    // One that has died in the meantime was reported, and has nothing left to show.
    guard worker.exit == nil else { return }
    let exits = try checkDrain(of: worker, answers: answers)
    let staysOpen = isOpen && checkSockets(isLast: true)
    try checkChildren()
    if answers, exits, staysOpen { try checkHandover() }
  }

  /// The checks that weren't made, because of what others have shown or because they weren't reported on.
  var skipped: [Check] {
    Check.allCases.filter { check in !report.findings.contains { $0.check == check.rawValue } }
  }

  // MARK: What it runs

  /// Reported only if something is wrong.
  private func checkRelease() {
    for unpinned in trial.unpinned { report.add(.warning("release", unpinned.problem, mend: UnpinnedPath.remedy)) }
  }

  // MARK: What it says

  private func checkReadiness(of worker: TrialWorker) throws -> Bool {
    report.begin(.ready)
    if try trial.waitForReadiness(of: worker), let readiness = worker.readiness {
      report.add(finding(readiness.by, after: readiness.after))
      return true
    }
    let text: String
    let mend: String
    if let exit = worker.exitText {
      text = "\(exit) before it was ready"
      mend = "see what it wrote; run the command on its own"
    } else {
      let own = SocketTable().places(of: worker.processes, except: worker.passedInodes)
      let lacks = worker.lacks.map { ": \($0)" } ?? ""
      let instead = own.isEmpty ? "" : ", but it listens at \(own.joined(separator: ", ")) on its own"
      let limit = configuration.settings.readyTimeout ?? configuration.settings.readyAfter ?? .zero
      text = "not ready within \(limit.text)\(lacks)\(instead)"
      mend = own.isEmpty ? Self.readinessAdvice(configuration.worker.readinessChannel) : Self.ownSocketAdvice
    }
    report.add(.failure(.ready, text, mend: mend, lastLines: worker.lastLines))
    return false
  }

  private func finding(_ word: TrialWorker.Word, after time: Duration) -> Finding {
    let after = "after \(Amount.time(milliseconds: time.wholeMilliseconds))"
    switch word {
    case .message: return .ok(.ready, "\(after), by READY=1")
    case .line: return .ok(.ready, "\(after), by a line to READY_FD")
    case .acknowledgement: return .ok(.ready, "\(after), by einhorn's acknowledgement")
    case .age: return .ok(.ready, "\(after), by being alive; it has no way to say so")
    case .sighting:
      let advice =
        configuration.worker.readinessChannel == .automatic
        ? "; it sent no message within a second, and --ready accepting doesn't wait for one" : ""
      return .ok(.ready, "\(after), by being seen to accept\(advice)")
    }
  }

  private static func readinessAdvice(_ channel: WorkerConfiguration.ReadinessChannel) -> String {
    switch channel {
    case .automatic: "send READY=1 to NOTIFY_SOCKET when it accepts, or accept on every listener"
    case .notify: "send READY=1 to NOTIFY_SOCKET when it accepts; a server that can't: --ready accepting"
    case .pipe: "write a line to the descriptor in READY_FD when it accepts"
    case .accepting: "accept on every listener: 'listen' has no more than it serves"
    case .einhorn: "acknowledge as einhorn's clients do: see docs/protocol.md"
    case .none: "it has to be alive for --ready-after"
    }
  }
}
