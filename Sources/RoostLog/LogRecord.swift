import Logging

package struct LogRecord: Sendable {
  package let level: Logger.Level
  /// One sentence.
  package let text: String
  /// The parts of it that a program may look for, by the names of journal fields.
  package let fields: Logger.Metadata

  package init(_ level: Logger.Level, _ text: String, fields: Logger.Metadata = [:]) {
    self.level = level
    self.text = text
    self.fields = fields
  }
}
