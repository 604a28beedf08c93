import Glibc
import RoostJSON

/// What came of a reload.
struct ReloadVerdict: Codable {
  let generation: Int
  let succeeded: Bool
  /// One sentence.
  let message: String
  /// What the process that failed wrote last.
  let lastWords: [String]

  private let ended: Int

  init(generation: Int, succeeded: Bool, message: String, lastWords: [String]) {
    self.generation = generation
    self.succeeded = succeeded
    self.message = message
    self.lastWords = lastWords
    ended = time(nil) * 1_000_000
  }

  /// For the clients of the control socket.
  var json: JSON {
    [
      "generation": .integer(generation), "succeeded": .boolean(succeeded), "message": .string(message),
      "lastWords": .array(lastWords.map(JSON.string)), "ended": .integer(ended),
    ]
  }
}
