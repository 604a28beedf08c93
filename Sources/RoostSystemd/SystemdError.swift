import Glibc

/// A call into libsystemd that failed.
package struct SystemdError: Error, Equatable, CustomStringConvertible {
  /// What was to be done.
  package let operation: String
  /// The error number (errno(3)).
  package let errno: Int32

  init(operation: StaticString, errno: Int32) {
    self.operation = "\(operation)"
    self.errno = errno
  }

  package var description: String { "cannot \(operation): \(String(cString: strerror(errno)))" }

  static func check(_ operation: StaticString, _ result: Int32) throws(SystemdError) {
    if result < 0 { throw SystemdError(operation: operation, errno: -result) }
  }
}
