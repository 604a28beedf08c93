import CRoostMaster

/// What is known of the connections that wait to be accepted at a listener: what was seen whenever it was looked at. Between
/// two looks a queue may have been longer.
struct AcceptQueue: Codable {
  /// How many connections wait, and how many can. The kernel takes one more than the limit before it calls a queue full.
  struct Length: Codable {
    var queued: Int
    var limit: Int

    /// Whether more of its limit is used than of another's, whatever the limits are.
    func isFuller(than other: Length) -> Bool { queued * max(other.limit, 1) > other.queued * max(limit, 1) }
  }

  /// When it was looked at last; nil where the kernel doesn't say.
  private(set) var now: Length?
  /// The longest that it was.
  private(set) var peak: Int
  /// How many connection requests the kernel has dropped; nil where it doesn't say.
  private(set) var dropped: Int?
  /// The longest that it was since `beginReload`.
  private(set) var reloadPeak: Length?

  private var droppedBeforeReload = 0
  /// What the kernel said last of each socket. Its counts are of 32 bits.
  private var counts: [Count] = []

  private struct Count: Codable {
    let socket: Int32
    var count: UInt32
  }

  /// A queue that wasn't looked at yet, apart from what is remembered of it.
  init(peak: Int = 0) {
    self.peak = peak
  }

  /// How many connection requests were dropped since `beginReload`; nil where the kernel doesn't say.
  var reloadDropped: Int? { dropped.map { $0 - droppedBeforeReload } }

  /// Looks at the sockets of a listener. Where there are several, each has a queue of its own: they add up.
  mutating func sample(_ sockets: [Int32]) {
    now = nil
    for socket in sockets {
      var queued: UInt32 = 0
      var limit: UInt32 = 0
      guard roost_accept_queue(socket, &queued, &limit) == 0 else { continue }
      now = Length(queued: (now?.queued ?? 0) + Int(queued), limit: (now?.limit ?? 0) + Int(limit))
    }
    countDropped(sockets)
    guard let now else { return }
    peak = max(peak, now.queued)
    reloadPeak = reloadPeak.map { now.isFuller(than: $0) ? now : $0 } ?? now
  }

  private mutating func countDropped(_ sockets: [Int32]) {
    // The number of a closed socket may be another's by the next look.
    counts.removeAll { !sockets.contains($0.socket) }
    for socket in sockets {
      var count: UInt32 = 0
      guard roost_dropped(socket, &count) == 0 else { continue }
      guard let index = counts.firstIndex(where: { $0.socket == socket }) else {
        counts.append(Count(socket: socket, count: count))
        dropped = (dropped ?? 0) + Int(count)
        continue
      }
      dropped = (dropped ?? 0) + Int(count &- counts[index].count)
      counts[index].count = count
    }
  }

  /// Begins to watch anew for a reload. Call `sample` before.
  mutating func beginReload() {
    reloadPeak = now
    droppedBeforeReload = dropped ?? 0
  }
}
