import CRoostMaster
import Glibc

/// The umask (umask(2)), which all threads share: nothing else makes files meanwhile.
enum FileMask {
  /// Does something with another umask.
  static func with<R: ~Copyable, E>(_ mask: mode_t, _ body: () throws(E) -> R) throws(E) -> R {
    let former = umask(mask)
    defer { umask(former) }
    return try body()
  }

  static var current: mode_t {
    let mask = umask(0)
    umask(mask)
    return mask
  }
}

/// Which user and group may use a file, and how. What is nil stays as it is.
struct FileAccess {
  var mode: mode_t?
  var user: uid_t?
  var group: gid_t?

  /// Applies it to the file of a descriptor, which may be one that can't be used for anything else.
  func apply(to file: borrowing Descriptor) throws(FileError) {
    let status = try file.status()
    if let mode, status.st_mode & 0o7777 != mode { try change(file, mode, status) }
    try give(file, user ?? status.st_uid, group ?? status.st_gid)
  }

  private func change(_ file: borrowing Descriptor, _ mode: mode_t, _ status: stat) throws(FileError) {
    if roost_change_mode(file.number, mode) == 0 { return }
    // Only its owner may, or CAP_FOWNER, which the shipped unit doesn't have. `apply` gives it back.
    guard errno == EPERM, status.st_uid != geteuid() else { throw Self.missing(errno) }
    try give(file, geteuid(), status.st_gid)
    guard roost_change_mode(file.number, mode) == 0 else {
      let error = errno
      try give(file, status.st_uid, status.st_gid)
      throw Self.missing(error)
    }
  }

  private static func missing(_ error: Int32) -> FileError {
    error == ENOSYS ? .refused("/proc is missing, and this kernel needs it (Linux 6.6 doesn't)") : .failed(error)
  }

  private func give(_ file: borrowing Descriptor, _ user: uid_t, _ group: gid_t) throws(FileError) {
    let status = try file.status()
    if status.st_uid == user, status.st_gid == group { return }
    guard roost_change_owner(file.number, user, group) == 0 else { throw .failed(errno) }
  }
}
