import Glibc
import RoostControl
import RoostCore

/// A retiree has its listeners until it lets go of them. One that doesn't, because it ignores the stop signal or is
/// slow to act on it, keeps answering clients with a former release: that is reported, once. See
/// docs/decisions/0019-retirees-that-accept.md.
extension Workers {
  /// Tells a worker, or what it has left behind, to drain, and looks from now on at what it still does.
  func drain(_ id: WorkerID, at now: Instant) {
    guard let process = process(id) else { return }
    process.drain()
    process.signalled = now
    watchDrain(of: process)
  }

  private func watchDrain(of process: WorkerProcess) {
    if process.state == .reaped { return }
    let slot = process.id.slot
    let sockets = process.release.listeners.map(\.listener).filter { !$0.isDatagram }.compactMap { listener in
      listener.reuseport == nil || listener.numbers.indices.contains(slot) ? listener.number(slot: slot) : nil
    }
    if !sockets.isEmpty { retirees.add(process, sockets) }
  }

  /// Continues with those that a former binary told to drain. What it knew of them isn't handed over.
  func resumeDrains(_ supervisor: Supervisor) {
    for retiree in supervisor.retirees where retiree.stage != .killed {
      guard let process = process(retiree.id), !retiree.isEmptying else { continue }
      if process.hasToldAccepting { retirees.told.append((retiree.id, supervisor.newestServing)) }
      watchDrain(of: process)
    }
  }

  func saw(_ process: WorkerProcess, _ sight: RetireeSearch.Sight, _ supervisor: Supervisor, at now: Instant) {
    guard sight.accepts == true, !process.hasToldAccepting,
      let retiree = supervisor.retirees.first(where: { $0.id == process.id })
    else { return }
    let until: Instant
    switch retiree.stage {
    case .draining(let end), .remains(let end): until = end
    case .emptying, .killed: return
    }
    process.hasToldAccepting = true
    retirees.told.append((process.id, supervisor.newestServing))
    let text = Self.acceptsText(
      who: process.state == .running ? process.title : "what \(process.title) has left behind",
      signal: signalName(process.release.configuration.stopSignal.number), ago: process.signalled.map { now - $0 },
      sight, left: until - now)
    tell(
      ServiceEvent(
        .retireeAccepts, .warning, text, generation: process.id.generation.number, slot: process.id.slot,
        pid: process.pid, at: Clock.time()))
  }

  static func acceptsText(
    who: String, signal: String, ago: Duration?, _ sight: RetireeSearch.Sight, left: Duration
  ) -> String {
    let ago = ago.map { " \($0.wholeSeconds.text) ago" } ?? ""
    let connections = sight.connectionsText.map { "has \($0) and " } ?? ""
    return "\(who) was sent \(signal)\(ago) and still accepts connections; "
      + "it \(connections)may continue until its drain timeout ends in \(left.wholeSeconds.text)"
  }

  /// Clients that waited for the last retiree have been answered.
  func forgetTold(_ supervisor: Supervisor) {
    if !retirees.told.isEmpty, supervisor.retirees.isEmpty, supervisor.reload == nil { retirees.told = [] }
  }

  /// The verdict of a reload whose retirees are gone, with what was reported of those that it had replaced.
  func drainedVerdict(_ verdict: ReloadVerdict, of generation: Generation) -> ReloadVerdict {
    // One that was reported before this reload began isn't its doing, although the reload waited for it.
    let count = retirees.told.count { $0.id.generation < generation && $0.newest >= generation }
    if count == 0 { return verdict }
    let (workers, their) = count == 1 ? ("1 old worker", "its") : ("\(count) old workers", "their")
    var verdict = verdict
    verdict.message += "; \(workers) still accepted connections after \(their) stop signal"
    return verdict
  }
}

extension Supervisor {
  fileprivate var newestServing: Generation { max(reload?.generation ?? serving, serving) }
}

extension Duration {
  /// To the nearest second.
  fileprivate var wholeSeconds: Duration { .seconds((max(0, wholeMilliseconds) + 500) / 1000) }
}
