import Glibc

/// Why the master can't run. The description is one line for the operator.
public struct MasterError: Error, CustomStringConvertible {
  /// What was to be done, why it couldn't be, and where it helps, what to do.
  public let description: String

  /// An error that says this.
  public init(_ description: String) {
    self.description = description
  }

  /// A system call that failed (errno(3)).
  public init(cannot operation: String, _ number: Int32 = errno, hint: String? = nil) {
    description = "cannot \(operation): \(errorText(number))" + (hint.map { " (\($0))" } ?? "")
  }
}

/// The system's words for an error number (strerror(3)).
func errorText(_ number: Int32) -> String {
  String(cString: strerror(number))
}
