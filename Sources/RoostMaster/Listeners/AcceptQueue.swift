import CRoostMaster

/// What is known of the connections that wait to be accepted at a listener: what was seen at each look. Between two
/// looks a queue may have been longer.
struct AcceptQueue: Codable {
  /// How many connections wait, and how many can. The kernel takes one more than the limit before a queue is full.
  struct Length: Codable {
    var queued: Int
    var limit: Int

    /// Whether more of its limit is used than of another's, whatever the limits are.
    func isFuller(than other: Length) -> Bool { queued * max(other.limit, 1) > other.queued * max(limit, 1) }
  }

  /// When it was last looked at; nil if the kernel doesn't say.
  private(set) var now: Length?
  /// Its greatest length.
  private(set) var peak: Int
  /// How many connection requests the kernel has dropped; nil if it doesn't say.
  private(set) var dropped: Int?
  /// Its greatest length since `beginReload`.
  private(set) var reloadPeak: Length?

  private var droppedBeforeReload = 0
  /// What the kernel last said of each socket. Its counts have 32 bits.
  private var counts: [Count] = []

  private struct Count: Codable {
    let socket: Int32
    var count: UInt32
  }

  /// A queue that wasn't looked at yet, apart from what is remembered of it.
  init(peak: Int = 0) {
    self.peak = peak
  }

  /// How many connection requests were dropped since `beginReload`; nil if the kernel doesn't say.
  var reloadDropped: Int? { dropped.map { $0 - droppedBeforeReload } }

  /// Looks at the sockets of a listener. If there are several, each has its own queue: they add up.
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
    // The number of a closed socket may belong to another by the next look.
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

  /// Begins a new watch for a reload. Call `sample` before.
  mutating func beginReload() {
    reloadPeak = now
    droppedBeforeReload = dropped ?? 0
  }
}
