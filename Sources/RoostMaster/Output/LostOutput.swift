import RoostCore

/// How much output of processes couldn't be written, for example because a disk was full for a while, and how often to
/// say so: a disk can be full for every second line.
struct LostOutput {
  /// For this long it isn't logged again.
  static let calm: Duration = .seconds(60)

  private(set) var count = 0
  /// Why (errno(3)).
  private(set) var error: Int32 = 0
  /// Whether its beginning was logged.
  private var isTold = false
  private var lastTold: Instant?

  /// Counts bytes. Returns whether to log that they and what follows are lost.
  mutating func add(_ bytes: Int, _ error: Int32, at now: Instant) -> Bool {
    let isFirst = count == 0
    count += bytes
    self.error = error
    guard isFirst, isDue(at: now) else { return false }
    isTold = true
    lastTold = now
    return true
  }

  /// Something could be written again. Returns whether to log what was lost.
  func isToBeTold(at now: Instant) -> Bool { count > 0 && (isTold || isDue(at: now)) }

  mutating func told(at now: Instant) {
    count = 0
    isTold = false
    lastTold = now
  }

  private func isDue(at now: Instant) -> Bool { lastTold.map { now - $0 >= Self.calm } ?? true }
}
