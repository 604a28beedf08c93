import Foundation
import RoostControl

/// Shows the progress of a reload.
protocol ProgressView {
  /// How often it wants to be drawn again, in seconds.
  var refreshInterval: TimeInterval? { get }
  func show(_ event: ServiceEvent)
  func refresh()
  func finish()
}

/// A line for each event, as in the log.
struct PlainProgress: ProgressView {
  let refreshInterval: TimeInterval? = nil
  /// Each line begins with it.
  let prefix: String

  func show(_ event: ServiceEvent) { Terminal.write(lines: [prefix + event.message]) }
  func refresh() {}
  func finish() {}
}

/// A line for each worker, drawn again as it progresses.
final class LiveProgress: ProgressView {
  private struct Row {
    var text: String
    /// When the state began; nil if that no longer matters.
    var since: Date?
    var style: Terminal.Style?
  }

  let refreshInterval: TimeInterval? = 0.1
  private var headline = "waiting for the reload to begin"
  private var began = Date()
  private var rows: [Int32: Row] = [:]
  private var order: [Int32] = []
  private var lines = LiveLines()
  private let prefix: String

  /// The headline begins with the prefix.
  init(prefix: String) {
    self.prefix = prefix
  }

  func show(_ event: ServiceEvent) {
    guard let kind = event.knownKind else { return }
    let time = Date(timeIntervalSince1970: Double(event.time) / 1_000_000)
    switch kind {
    case .reloadBegan:
      headline = "reloading to generation \(event.generation ?? 0)"
      began = time
      rows = [:]
      order = []
    case .reloadRequested, .hookBegan, .hookSucceeded, .hookFailed, .scaled, .queueNotEmpty, .stalled:
      headline = event.message
    case .tookOver:
      headline = event.message
      for pid in order where rows[pid]?.text.contains("ready") == true { settle(pid) }
    case .workerStarted: set(event, "starting", since: time)
    case .workerReady: set(event, "ready, settling", since: time)
    case .workerStopped: set(event, "stopped by a signal", since: time, .yellow)
    case .workerContinued: set(event, "continues", since: time)
    case .drainBegan: set(event, "draining", since: time, .dim)
    case .drainEnded: set(event, "drained and gone", since: nil, .dim)
    case .retireeAccepts: set(event, "told to stop, still accepts connections", since: time, .yellow)
    case .drainTimedOut: set(event, "killed, it did not drain in time", since: nil, .yellow)
    case .workerRecycled: set(event, "ended on its own", since: nil, .dim)
    case .workerLost, .replacementFailed: set(event, "lost", since: nil, .red)
    case .replaced: set(event, "settled, serving", since: nil, .green)
    case .remainsStopped: set(event, "left processes behind", since: nil, .yellow)
    case .listenersNotOpened, .startDelayed, .fellBack, .fallbackFailed, .proved, .crashLoop, .cancelRequested,
      .startSucceeded, .startFailed, .reloadSucceeded, .reloadFailed, .scaleRefused, .stopRequested,
      .stopAtOnceRequested, .upgradeBegan, .upgraded, .upgradeRefused, .outsiderFound,
      .replacementRequested, .replacementRefused:
      headline = event.message
    }
    refresh()
  }

  private func settle(_ pid: Int32) {
    guard let row = rows[pid] else { return }
    let text = row.text.replacingOccurrences(of: "ready, settling", with: "settled, serving")
    rows[pid] = Row(text: text, since: nil, style: .green)
  }

  private func set(_ event: ServiceEvent, _ state: String, since: Date?, _ style: Terminal.Style? = nil) {
    guard let pid = event.pid else { return }
    if rows[pid] == nil { order.append(pid) }
    rows[pid] = Row(
      text: "slot \(event.slot ?? 0)  generation \(event.generation ?? 0)  pid \(pid)  \(state)", since: since,
      style: style)
  }

  func refresh() {
    // No more than a screen takes: the rest is counted.
    let shown = order.suffix(20)
    var text = [Terminal.styled(Terminal.clipped("\(prefix)\(headline)  \(elapsed(began))"), .bold)]
    if shown.count < order.count { text.append("  … \(order.count - shown.count) more") }
    for pid in shown {
      guard let row = rows[pid] else { continue }
      let line = Terminal.clipped("  \(row.text)\(row.since.map { "  \(elapsed($0))" } ?? "")")
      text.append(row.style.map { Terminal.styled(line, $0) } ?? line)
    }
    lines.draw(text)
  }

  func finish() {
    if !order.isEmpty { refresh() }
  }

  private func elapsed(_ since: Date) -> String {
    String(format: "%.1fs", max(0, Date().timeIntervalSince(since)))
  }
}
