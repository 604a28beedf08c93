import RoostConfiguration
import RoostMaster

extension Examination {
  /// A reload in small: a worker under load, another beside it, and the first one told to stop.
  func checkHandover() throws {
    guard let target else { return }
    report.begin(.handover)
    let first = try trial.start()
    guard try trial.waitForReadiness(of: first) else { return report.add(notReady(first)) }
    let load = Load(target, path: options.path, speaksHTTP: options.speaksHTTP, patience: Self.patience)
    for keepAlive in [true, true, true, true, false, false] {
      // With a pause: they are to be there all the time, but not to overload the machine.
      load.startClient(keepAlive: keepAlive, limit: 20000, pause: .milliseconds(1), stopsWhenFailing: false)
    }
    _ = try trial.wait(Self.patience) { load.counts.all >= 50 }
    let second = try trial.start()
    guard try trial.waitForReadiness(of: second) else {
      load.threads.finish()
      return report.add(notReady(second))
    }
    _ = try trial.wait(.milliseconds(100)) { false }
    first.stop()
    // A worker that waits for its clients to close waits for these.
    _ = try trial.wait(.milliseconds(1500)) { first.exit != nil }
    _ = try trial.wait(.milliseconds(100)) { false }
    load.threads.finish()
    _ = try trial.wait(Self.patience + .seconds(1)) { load.threads.areDone }
    _ = try trial.waitForExit(of: first)
    let isStuck = try !trial.wait(Self.patience) { streams[0].queue?.queued ?? 0 == 0 }
    second.stop()
    _ = try trial.waitForExit(of: second)
    report.add(finding(load.counts, isStuck: isStuck))
  }

  private func notReady(_ worker: TrialWorker) -> Finding {
    .failure(
      .handover, "a further worker \(worker.exitText ?? "was not ready in time")",
      mend: "during a reload two workers run at the same time: what do they both want for themselves?",
      lastLines: worker.lastLines)
  }

  private func finding(_ counts: Counts, isStuck: Bool) -> Finding {
    let noun = options.speaksHTTP ? "requests" : "connections"
    let text = "\(counts.failed) of \(counts.all) \(noun) failed while a worker took over from another"
    if counts.failed > 0 {
      return .failure(
        .handover, "\(text): \(counts.reasons)",
        mend: "answer all that was accepted, and let kept-alive connections send one more request (docs/doctor.md)")
    }
    if isStuck {
      return .failure(
        .handover, "\(text), but then the other one did not accept",
        mend: "two workers share the listener: neither may rely on being woken for each connection")
    }
    return .ok(.handover, text)
  }
}
