/// Finds what somebody may have meant.
enum Spelling {
  /// A longer word is no slip.
  private static let maximumLength = 64

  /// The candidate that differs least from a word, if the difference is small enough for a slip.
  static func nearest(to word: String, among candidates: [String]) -> String? {
    guard word.utf8.count <= maximumLength else { return nil }
    let folded = fold(word)
    var extended: String?
    var best: (distance: Int, name: String)?
    for name in candidates {
      let candidate = fold(name)
      // A word that goes on, or stops early: "listeners" for "listen".
      if candidate.count >= 4, folded.starts(with: candidate), name.count > extended?.count ?? 0 { extended = name }
      let allowed = max(1, name.count / 3)
      // At least so many insertions or deletions.
      guard abs(folded.count - candidate.count) <= allowed else { continue }
      let distance = distance(folded, candidate)
      if distance <= allowed, best.map({ (distance, name) < ($0.distance, $0.name) }) ?? true {
        best = (distance, name)
      }
    }
    return extended ?? best?.name
  }

  /// `drainTimeout`, `drain_timeout` and `DRAIN-TIMEOUT` all mean `drain-timeout`.
  private static func fold(_ word: String) -> [UInt8] {
    word.utf8.compactMap { byte in
      switch byte {
      case UInt8(ascii: "_"), UInt8(ascii: "-"): nil
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
      default: byte
      }
    }
  }

  /// How many insertions, deletions and replacements turn one into the other (Levenshtein).
  private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
    var row = Array(0...other.count)
    for (index, byte) in one.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in other.indices {
        let replaced = diagonal + (byte == other[column] ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
      }
    }
    return row[other.count]
  }
}
