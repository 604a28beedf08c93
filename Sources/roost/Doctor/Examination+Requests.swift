import RoostConfiguration
import RoostMaster

extension Examination {
  /// How many requests are made on new connections, and then on kept-alive ones.
  private static let requests = 200

  /// Whether the worker answers under a little load, and keeps accepting.
  func checkRequests(to worker: TrialWorker) throws -> Bool {
    guard let target else { return false }
    report.begin(.requests)
    let load = Load(target, path: options.path, speaksHTTP: options.speaksHTTP, patience: Self.patience)
    for _ in 0..<2 { load.startClient(keepAlive: false, limit: Self.requests / 2) }
    _ = try trial.wait(.seconds(60)) { load.threads.areDone }
    if load.counts.failed == 0, options.speaksHTTP {
      for _ in 0..<4 { load.startClient(keepAlive: true, limit: Self.requests / 4) }
      _ = try trial.wait(.seconds(60)) { load.threads.areDone }
    }
    load.threads.finish()
    let counts = load.counts
    let isStuck = try counts.failed == 0 && !trial.wait(Self.patience) { streams[0].queue?.queued ?? 0 == 0 }
    let noun = options.speaksHTTP ? "requests" : "connections"
    if counts.failed == 0, !isStuck, worker.exit == nil {
      if let finding = try overIPv4(worker) {
        report.add(finding)
        return false
      }
      let verb = options.speaksHTTP ? "answered" : "accepted"
      let slowest = Amount.time(milliseconds: counts.slowest.wholeMilliseconds)
      report.add(.ok(.requests, "\(counts.answered) of \(counts.all) \(noun) \(verb), the slowest after \(slowest)"))
      keepsAlive = counts.keptAlive > 0
      return true
    }
    report.add(try familyFailure(counts, worker) ?? failure(counts, noun, worker))
    return false
  }

  private func failure(_ counts: Counts, _ noun: String, _ worker: TrialWorker) -> Finding {
    if let exit = worker.exitText {
      return .failure(
        .requests, "\(exit) after \(counts.answered) \(noun)", mend: "see what it wrote", lastLines: worker.lastLines)
    }
    if counts.failed == 0 {
      return .failure(
        .requests, "it has stopped accepting", mend: "accept until the stop signal", lastLines: worker.lastLines)
    }
    let isError = counts.failures.keys.contains { if case .status = $0 { true } else { false } }
    let mend =
      if isError {
        "see what \(options.path) needs; another path: --path"
      } else if counts.failures[.notHTTP] != nil {
        "a server that speaks something else: --no-http"
      } else {
        "the worker has to keep accepting and answering until the stop signal; one that is slow: another --path"
      }
    return .failure(
      .requests, "\(counts.failed) of \(counts.all) \(noun) failed: \(counts.reasons)", mend: mend,
      lastLines: worker.lastLines)
  }
}
