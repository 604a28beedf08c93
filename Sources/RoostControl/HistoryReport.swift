/// What `History` of `ControlInterface.description` tells: which generations have served, oldest first.
package struct HistoryReport: Codable, Hashable, Sendable {
  /// How a generation went.
  package enum Verdict: String, Codable, CaseIterable, Sendable {
    /// It is being started.
    case starting
    /// It has taken over.
    case served
    /// It couldn't get ready, or not everywhere.
    case failed
  }

  package struct Entry: Codable, Hashable, Sendable {
    package let generation: Int
    package let recordOf: Int?
    package let directory: String
    package let command: [String]
    package let began: Int
    package let verdict: Word<Verdict>
    package let reason: String?
    package let serves: Int?
    package let ended: Int?
    package let end: String?
    package let proved: Bool
    package let canComeBack: Bool

    package init(
      generation: Int, recordOf: Int?, directory: String, command: [String], began: Int, verdict: Verdict,
      reason: String?, serves: Int?, ended: Int?, end: String?, proved: Bool, canComeBack: Bool
    ) {
      (self.generation, self.recordOf, self.directory, self.command) = (generation, recordOf, directory, command)
      (self.began, self.verdict, self.reason, self.serves) = (began, Word(verdict), reason, serves)
      (self.ended, self.end, self.proved, self.canComeBack) = (ended, end, proved, canComeBack)
    }
  }

  package let entries: [Entry]
  package let lastGood: Int?
  package let serving: Int

  package init(entries: [Entry], lastGood: Int?, serving: Int) {
    (self.entries, self.lastGood, self.serving) = (entries, lastGood, serving)
  }
}
