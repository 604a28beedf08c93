import Glibc

/// Why the master can't run. The description is one line for the operator.
package struct MasterError: Error, CustomStringConvertible {
  /// What failed, why, and if it helps, what to do.
  package let description: String
  /// Whether it may pass: an address may come, a port become free, a disk get room.
  let healsWithTime: Bool

  package init(_ description: String, healsWithTime: Bool = false) {
    self.description = description
    self.healsWithTime = healsWithTime
  }

  /// A system call that failed (errno(3)).
  package init(cannot operation: String, _ number: Int32 = errno, hint: String? = nil) {
    description = "cannot \(operation): \(errorText(number))" + (hint.map { " (\($0))" } ?? "")
    healsWithTime = Self.passing.contains(number)
  }

  /// Obstacles that others cause, or a temporary shortage. The master's own limit of open files isn't one of them: no
  /// other process uses it up.
  private static let passing: Set<Int32> = [
    EADDRINUSE, EADDRNOTAVAIL, ENETDOWN, ENOSPC, EDQUOT, ENFILE, ENOMEM, ENOBUFS, EAGAIN, EINTR, EIO, ESTALE,
    EROFS,
  ]
}

/// The system's words for an error number (strerror(3)).
func errorText(_ number: Int32) -> String {
  String(cString: strerror(number))
}
