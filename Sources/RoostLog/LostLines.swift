import Synchronization

/// How many lines couldn't be written. Shared by the copies of a handler.
final class LostLines: Sendable {
  /// The reason for those that weren't read.
  static let unread = "it wasn't read"

  private let lost = Mutex((count: 0, reason: ""))

  /// Writes a line, after one that says how many were lost before it. `attempt` gets what to write instead of the line,
  /// if anything, and returns why it couldn't be written, if it couldn't.
  func write(_ attempt: (String?) -> String?) {
    let (count, reason) = lost.withLock(\.self)
    if count > 0 {
      if let reason = attempt("\(count) lines of this log were lost: \(reason)") { return add(reason) }
      lost.withLock { $0 = (0, "") }
    }
    if let reason = attempt(nil) { add(reason) }
  }

  private func add(_ reason: String) { lost.withLock { $0 = ($0.count + 1, reason) } }
}
