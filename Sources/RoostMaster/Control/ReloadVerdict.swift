import Glibc
import RoostJSON

/// The outcome of a reload.
struct ReloadVerdict: Codable {
  let generation: Int
  let succeeded: Bool
  /// One sentence.
  let message: String
  /// The last lines of the process that failed.
  let lastWords: [String]
  /// What it did to connections that waited to be accepted; nil if there is no listener.
  let evidence: ReloadEvidence?

  private let ended: Int

  init(generation: Int, succeeded: Bool, message: String, lastWords: [String], evidence: ReloadEvidence?) {
    self.generation = generation
    self.succeeded = succeeded
    self.message = message
    self.lastWords = lastWords
    self.evidence = evidence
    ended = time(nil) * 1_000_000
  }

  /// For the clients of the control socket.
  var json: JSON {
    [
      "generation": .integer(generation), "succeeded": .boolean(succeeded), "message": .string(message),
      "lastWords": .array(lastWords.map(JSON.string)), "ended": .integer(ended),
      "dropped": evidence?.dropped.map(JSON.integer) ?? .null,
      "peakQueue": evidence?.peak.map { .integer($0.queued) } ?? .null,
      "queueLimit": evidence?.peak.map { .integer($0.limit) } ?? .null,
      "queueListener": evidence?.peak.map { .string($0.listener) } ?? .null,
    ]
  }
}
