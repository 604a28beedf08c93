import Glibc

/// Where the master was started. It works in the root directory itself, so that it keeps no file system busy, and so
/// that a deleted directory, as after a deployment, only matters to those that need it.
package enum WorkingDirectory {
  /// The environment variable that tells processes that the master executes on the side where that was.
  static let variable = "ROOST_START_DIRECTORY"

  /// The working directory by the path that the operator used: only that shows that a link has moved. A shell keeps it
  /// in PWD, and systemd sets it too; it counts if it is the directory that the process is really in.
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
    guard let path = getcwd(nil, 0) else { throw MasterError(cannot: "determine the working directory") }
    defer { free(path) }
    return String(cString: path)
  }

  /// Where a master was started whose version worked there, and didn't hand over where that was.
  static func formerMaster() -> String {
    // The directory may have been deleted since.
    (try? logical()) ?? getenv("PWD").map { String(cString: $0) } ?? "/"
  }
}
