import Glibc

/// A call into libsystemd that failed.
public struct SystemdError: Error, Equatable, CustomStringConvertible {
  /// What was to be done.
  public let operation: String
  /// The error number (errno(3)).
  public let errno: Int32

  init(operation: StaticString, errno: Int32) {
    self.operation = "\(operation)"
    self.errno = errno
  }

  /// What failed, and why.
  public var description: String { "cannot \(operation): \(String(cString: strerror(errno)))" }

  static func check(_ operation: StaticString, _ result: Int32) throws(SystemdError) {
    if result < 0 { throw SystemdError(operation: operation, errno: -result) }
  }
}
