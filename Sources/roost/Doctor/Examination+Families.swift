import RoostConfiguration
import RoostMaster

/// A listener at all addresses takes IPv6, and IPv4 as if it were IPv6. A server that was written for IPv4 alone may
/// not be able to read its clients' addresses there.
extension Examination {
  /// Requests to a listener for IPv4 alone, to know whether the family was the reason.
  private static let requestsOverIPv4 = 8

  /// What is wrong if IPv6 works and IPv4 doesn't; nil if both do.
  func overIPv4(_ worker: TrialWorker) throws -> Finding? {
    guard let address = streams[0].addressOverIPv4 else { return nil }
    let counts = try someRequests(to: address)
    guard counts.failed > 0 else { return nil }
    return .failure(
      .requests,
      "over IPv6 all is answered, and over IPv4 \(counts.failed) of \(counts.all) requests failed: \(counts.reasons)",
      mend: "\(line), if there is no need for IPv6; else a listener for each",
      lastLines: worker.lastLines)
  }

  /// The finding for a worker that answers nothing, if it does answer once its listener is for IPv4 alone.
  func familyFailure(_ counts: Counts, _ worker: TrialWorker) throws -> Finding? {
    guard counts.answered == 0, worker.exit == nil, streams[0].addressOverIPv4 != nil, options.speaksHTTP else {
      return nil
    }
    // What can't be tried shows nothing.
    guard let (other, listeners) = try? trial.startOverIPv4() else { return nil }
    var others = Counts()
    if try trial.waitForReadiness(of: other), let address = listeners.compactMap(\.address).first {
      others = try someRequests(to: address)
    }
    try end(other)
    guard others.failed == 0, others.answered > 0 else { return nil }
    return .failure(
      .requests,
      "\(counts.failed) of \(counts.all) requests failed: \(counts.reasons); of \(others.all) to a listener of IPv4 alone, none:"
        + " it can't read the addresses of one for IPv6 and IPv4",
      mend: line, lastLines: worker.lastLines)
  }

  private func end(_ worker: TrialWorker) throws {
    guard worker.exit == nil else { return }
    worker.stop()
    if try trial.waitForExit(of: worker) { return }
    worker.kill()
    _ = try trial.wait(.seconds(5)) { worker.exit != nil }
  }

  /// The line to write.
  private var line: String { "listen = [\"\(streams[0].titleOverIPv4 ?? "")\"]" }

  private func someRequests(to address: TrialAddress) throws -> Counts {
    let load = Load(address, path: options.path, speaksHTTP: options.speaksHTTP, patience: Self.patience)
    for _ in 0..<2 { load.startClient(keepAlive: false, limit: Self.requestsOverIPv4 / 2) }
    _ = try trial.wait(.seconds(30)) { load.threads.areDone }
    load.threads.finish()
    return load.counts
  }
}
