import Glibc

/// Why the master can't run. The description is one line for the operator.
package struct MasterError: Error, CustomStringConvertible {
  /// What was to be done, why it couldn't be, and where it helps, what to do.
  package let description: String
  /// Whether time may heal it: an address may come, a port become free, a disk get room.
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

  /// What is in the way because of others, or of what there is too little of at the moment. The master's own limit of open
  /// files isn't: nobody else uses any of it up.
  private static let passing: Set<Int32> = [
    EADDRINUSE, EADDRNOTAVAIL, ENETDOWN, ENOSPC, EDQUOT, ENFILE, ENOMEM, ENOBUFS, EAGAIN, EINTR, EIO, ESTALE,
    EROFS,
  ]
}

/// The system's words for an error number (strerror(3)).
func errorText(_ number: Int32) -> String {
  String(cString: strerror(number))
}
