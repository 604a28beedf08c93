import Foundation
import RoostControl
import RoostJSON

/// Shows the progress of a reload.
protocol ProgressView: AnyObject {
  /// How often it wants to be drawn again, in seconds.
  var refreshInterval: TimeInterval? { get }
  func show(_ event: JSON)
  func refresh()
  func finish()
}

final class SilentProgress: ProgressView {
  let refreshInterval: TimeInterval? = nil
  func show(_ event: JSON) {}
  func refresh() {}
  func finish() {}
}

/// A line for each event, as in the log.
final class PlainProgress: ProgressView {
  let refreshInterval: TimeInterval? = nil
  private let prefix: String

  /// Each line begins with the prefix.
  init(prefix: String) {
    self.prefix = prefix
  }

  func show(_ event: JSON) {
    if let message = event.string("message") { Terminal.write(prefix + message + "\n") }
  }

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
  private var rows: [Int: Row] = [:]
  private var order: [Int] = []
  private var generation: Int?
  private var lines = LiveLines()
  private let prefix: String

  /// The headline begins with the prefix.
  init(prefix: String) {
    self.prefix = prefix
  }

  func show(_ event: JSON) {
    guard let kind = event.string("kind").flatMap(EventKind.init(name:)) else { return }
    let time = Date(timeIntervalSince1970: Double(event.integer("time") ?? 0) / 1_000_000)
    switch kind {
    case .reloadBegan:
      generation = event.integer("generation")
      headline = "reloading to generation \(generation ?? 0)"
      began = time
      rows = [:]
      order = []
    case .reloadRequested, .hookBegan, .hookSucceeded, .hookFailed, .scaled, .queueNotEmpty, .stalled:
      headline = event.string("message") ?? headline
    case .tookOver:
      headline = event.string("message") ?? headline
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
      headline = event.string("message") ?? headline
    }
    refresh()
  }

  private func settle(_ pid: Int) {
    guard let row = rows[pid] else { return }
    let text = row.text.replacingOccurrences(of: "ready, settling", with: "settled, serving")
    rows[pid] = Row(text: text, since: nil, style: .green)
  }

  private func set(_ event: JSON, _ state: String, since: Date?, _ style: Terminal.Style? = nil) {
    guard let pid = event.integer("pid") else { return }
    if rows[pid] == nil { order.append(pid) }
    let slot = event.integer("slot") ?? 0
    rows[pid] = Row(
      text: "slot \(slot)  generation \(event.integer("generation") ?? 0)  pid \(pid)  \(state)", since: since,
      style: style)
  }

  func refresh() {
    let width = Terminal.width
    // No more than a screen takes: the rest is counted.
    let shown = order.suffix(20)
    var text = [Terminal.styled(Terminal.clipped("\(prefix)\(headline)  \(elapsed(began))", to: width), .bold)]
    if shown.count < order.count { text.append("  … \(order.count - shown.count) more") }
    for pid in shown {
      guard let row = rows[pid] else { continue }
      let line = Terminal.clipped("  \(row.text)\(row.since.map { "  \(elapsed($0))" } ?? "")", to: width)
      text.append(row.style.map { Terminal.styled(line, $0) } ?? line)
    }
    lines.draw(text)
  }

  func finish() {
    if !order.isEmpty { refresh() }
  }

  private func elapsed(_ since: Date) -> String {
    let seconds = max(0, Date().timeIntervalSince(since))
    return String(format: "%.1fs", seconds)
  }
}
