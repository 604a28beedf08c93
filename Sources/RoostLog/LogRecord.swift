import Logging

/// One thing that the log says.
public struct LogRecord: Sendable {
  /// How much it matters.
  public let level: Logger.Level
  /// One sentence.
  public let text: String
  /// The parts of it that a program may look for, by the names of journal fields.
  public let fields: Logger.Metadata

  /// A record of these parts.
  public init(_ level: Logger.Level, _ text: String, fields: Logger.Metadata = [:]) {
    self.level = level
    self.text = text
    self.fields = fields
  }
}
