import Foundation
import RoostConfiguration
import RoostMaster

extension Examination {
  /// Tells the worker to stop with requests in flight, and sees it off. Returns whether it has exited in time.
  func checkDrain(of worker: TrialWorker, answers: Bool) throws -> Bool {
    report.begin(.exit)
    let clients = target.map { DrainClients($0, patience: .seconds(30)) }
    let isAsked = answers && options.speaksHTTP
    if isAsked, let clients {
      if keepsAlive { clients.start(count: 4, path: options.path) }
      if let slow = options.slowPath { clients.startSlow(path: slow) }
      _ = try trial.wait(Self.patience) { clients.counts.begun == clients.counts.connections }
      // Nothing shows that the worker has begun with a slow request, and the other requests should be in full swing.
      _ = try trial.wait(.milliseconds(options.slowPath == nil ? 50 : 300)) { false }
    }
    clients?.workerIsToldToStop()
    worker.stop()
    let exits = try trial.waitForExit(of: worker)
    if isAsked, let clients {
      if exits { _ = try trial.wait(Self.patience) { clients.threads.areDone } }
      clients.threads.finish()
      let lost = checkInFlight(clients.counts)
      // What follows from a worker that ignores the signal, or doesn't drain at all, would only be reported twice.
      if exits, !lost, keepsAlive { report.add(keptAlive(clients.counts)) }
    }
    report.add(exit(of: worker, exits))
    if !exits {
      worker.kill()
      _ = try trial.wait(.seconds(5)) { worker.exit != nil }
    }
    return exits
  }

  /// Returns whether any was lost.
  private func checkInFlight(_ counts: DrainClients.Counts) -> Bool {
    let slow = counts.slowAnswered + (counts.slowFailure == nil ? 0 : 1)
    let lost = counts.inFlightLost + (counts.slowFailure == nil ? 0 : 1)
    let all = counts.inFlightAnswered + counts.inFlightLost + slow
    guard all > 0 else { return false }
    if lost == 0 {
      let besides = options.slowPath.map { ", one of them for \($0)" } ?? ""
      report.add(.ok(.inFlight, "\(all) of \(all) requests answered that were in flight at the stop signal\(besides)"))
      return false
    }
    report.add(
      .failure(
        .inFlight, "\(lost) of \(all) requests lost that were in flight at the stop signal",
        mend: "on \(signal), stop accepting, answer what was accepted, and only then exit"))
    return true
  }

  private func keptAlive(_ counts: DrainClients.Counts) -> Finding {
    let all = counts.connections
    if counts.untold > 0 {
      return .failure(
        .keptAlive, "\(counts.untold) of \(all) connections continued as if nothing had happened after the stop signal",
        mend: "answer the next request on each with 'Connection: close', otherwise clients keep the worker from exiting"
      )
    }
    if counts.laterLost > 0 {
      return .failure(
        .keptAlive,
        "\(counts.laterLost) of \(all) connections were closed during a request that followed the stop signal",
        mend: "answer one more request on each with 'Connection: close', and close idle ones only after a while")
    }
    return .ok(.keptAlive, "\(counts.told) of \(all) connections told to close, none during a request")
  }

  private func exit(of worker: TrialWorker, _ exits: Bool) -> Finding {
    guard exits, let exit = worker.exit, let text = worker.exitText else {
      return .failure(
        .exit, "still there \(configuration.settings.drainTimeout.text) after \(signal)",
        mend: "exit when nothing is left to be answered; another signal: --stop-signal, more time: --drain-timeout")
    }
    let after = "\(text) \(Amount.time(milliseconds: exit.after.wholeMilliseconds)) after \(signal)"
    return worker.hasExitedCleanly
      ? .ok(.exit, after)
      : .warning(.exit, after, mend: "exit with status 0 when asked to: the log reports anything else as a failure")
  }

  private var signal: String { "SIG\(configuration.worker.stopSignal.name)" }

  /// Reports whether the worker has left processes behind. They are killed.
  func checkChildren() throws {
    // One that ends together with the worker doesn't count.
    if try trial.wait(.milliseconds(200), until: { trial.leftovers().isEmpty }) {
      return report.add(.ok(.children, "none left behind"))
    }
    let names = trial.leftovers().map { pid in "\(pid) (\(Self.command(of: pid)))" }
    trial.killLeftovers()
    report.add(
      .failure(
        .children, "left behind \(names.count == 1 ? "process" : "processes") \(names.joined(separator: ", "))",
        mend: "end and await them before it exits: the master kills them after another drain timeout"))
  }

  private static func command(of pid: pid_t) -> String {
    let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
    let text = String(decoding: bytes, as: UTF8.self).split(separator: "\0").joined(separator: " ")
    return Terminal.clipped(text.filter { !$0.isNewline }, to: 60)
  }
}
