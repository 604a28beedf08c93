/// The `Verdict` of `ControlInterface.description`: what came of a reload.
package struct ReloadVerdict: Codable, Hashable, Sendable {
  package let generation: Int
  package let succeeded: Bool
  package var message: String
  package let lastWords: [String]
  package let ended: Int
  package let dropped: Int?
  package let peakQueue: Int?
  package let queueLimit: Int?
  package let queueListener: String?

  package init(
    generation: Int, succeeded: Bool, message: String, lastWords: [String], ended: Int, dropped: Int?, peakQueue: Int?,
    queueLimit: Int?, queueListener: String?
  ) {
    (self.generation, self.succeeded, self.message) = (generation, succeeded, message)
    (self.lastWords, self.ended, self.dropped) = (lastWords, ended, dropped)
    (self.peakQueue, self.queueLimit, self.queueListener) = (peakQueue, queueLimit, queueListener)
  }
}
