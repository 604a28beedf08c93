import Glibc

/// Where the master was started. It works in the root directory itself, so that it keeps no file system busy and a
/// directory that is deleted, as after a deployment, matters to nobody who doesn't need it.
package enum WorkingDirectory {
  /// In what the master executes on the side, the environment variable that says where.
  static let variable = "ROOST_START_DIRECTORY"

  /// The working directory by the path that the operator used: only it tells that a link has moved. A shell keeps it in
  /// PWD, systemd sets it too; it counts if it is the directory that the process really is in.
  package static func logical() throws(MasterError) -> String {
    if let path = getenv(variable) { return String(cString: path) }
    var named = stat()
    var real = stat()
    if let path = getenv("PWD").map({ String(cString: $0) }), path.utf8.first == UInt8(ascii: "/"),
      stat(path, &named) == 0,
      stat(".", &real) == 0, named.st_dev == real.st_dev, named.st_ino == real.st_ino
    {
      return path
    }
    guard let path = getcwd(nil, 0) else { throw MasterError(cannot: "tell the working directory") }
    defer { free(path) }
    return String(cString: path)
  }

  /// Where a master was started of a version that worked there, and didn't hand over where that was.
  static func formerMaster() -> String {
    // The directory may have been deleted since.
    (try? logical()) ?? getenv("PWD").map { String(cString: $0) } ?? "/"
  }
}
