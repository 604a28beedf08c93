/// Finds what somebody may have meant.
enum Spelling {
  /// The candidate that differs least from a word, if the difference is small enough for a slip.
  static func nearest(to word: String, among candidates: [String]) -> String? {
    let folded = fold(word)
    let distances = candidates.map { (name: $0, distance: distance(folded, fold($0))) }
    // A word that goes on, or stops early: "listeners" for "listen".
    let extended = candidates.filter { fold($0).count >= 4 && folded.starts(with: fold($0)) }
    if let longest = extended.max(by: { $0.count < $1.count }) { return longest }
    guard let best = distances.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) else { return nil }
    return best.distance <= max(1, best.name.count / 3) ? best.name : nil
  }

  /// `drainTimeout`, `drain_timeout` and `DRAIN-TIMEOUT` all mean `drain-timeout`.
  private static func fold(_ word: String) -> [Character] {
    Array(word.lowercased().filter { $0 != "_" && $0 != "-" })
  }

  /// How many insertions, deletions and replacements turn one into the other (Levenshtein).
  private static func distance(_ one: [Character], _ other: [Character]) -> Int {
    var row = Array(0...other.count)
    for (index, character) in one.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in other.indices {
        let replaced = diagonal + (character == other[column] ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
      }
    }
    return row[other.count]
  }
}
