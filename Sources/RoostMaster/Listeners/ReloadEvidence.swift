import RoostCore

/// What happened to connections that waited to be accepted while a reload ran, as far as the kernel reveals it.
struct ReloadEvidence: Codable {
  /// A queue at its longest.
  struct Peak: Codable {
    let listener: String
    let queued: Int
    let limit: Int
  }

  let generation: Generation
  /// How many connection requests were dropped at all listeners; nil if none of them is counted.
  private(set) var dropped: Int?
  /// The most that were seen waiting, at the listener whose queue was fullest.
  private(set) var peak: Peak?
  private let isOfSeveral: Bool

  /// What the listeners have seen since the reload began; nil if there is none.
  init?(of generation: Generation, _ listeners: [Listener]) {
    guard !listeners.isEmpty else { return nil }
    self.generation = generation
    isOfSeveral = listeners.count > 1
    var fullest: AcceptQueue.Length?
    for listener in listeners {
      if let count = listener.queue.reloadDropped { dropped = (dropped ?? 0) + count }
      guard let length = listener.queue.reloadPeak, fullest.map(length.isFuller) ?? true else { continue }
      fullest = length
      peak = Peak(listener: listener.name, queued: length.queued, limit: length.limit)
    }
  }

  /// Such as `0 dropped, peak queue 37 of 4096`; nil if nothing is known.
  var text: String? {
    var parts: [String] = []
    if let dropped { parts.append("\(dropped) dropped") }
    if let peak {
      parts.append("peak queue \(peak.queued) of \(peak.limit)" + (isOfSeveral ? " (\(peak.listener))" : ""))
    }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}
