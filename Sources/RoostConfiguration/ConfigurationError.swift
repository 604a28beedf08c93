/// A value that can't be used, and what could be instead.
public struct ConfigurationError: Error, Hashable, CustomStringConvertible {
  /// One sentence for the operator.
  public let description: String

  /// An error that says this.
  public init(_ description: String) {
    self.description = description
  }
}
