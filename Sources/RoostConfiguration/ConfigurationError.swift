/// A value that can't be used, and what could be instead.
package struct ConfigurationError: Error, Hashable, CustomStringConvertible {
  /// One sentence for the operator.
  package let description: String

  package init(_ description: String) {
    self.description = description
  }
}
