import Glibc

/// Where the master was started.
public enum WorkingDirectory {
  /// The working directory by the path that the operator used: only it tells that a link has moved. A shell keeps it in
  /// PWD, systemd sets it too; it counts if it is the directory that the process really is in.
  public static func logical() throws(MasterError) -> String {
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
}
