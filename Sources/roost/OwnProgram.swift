import Glibc
import RoostMaster

/// The path by which this program was started.
enum OwnProgram {
  /// Absolute, and not resolved: when a package moves the link on, the next upgrade executes the new one.
  static func path() throws -> String {
    let name = CommandLine.arguments[0]
    if name.hasPrefix("/") { return name }
    if name.contains("/") { return try WorkingDirectory.logical() + "/" + name }
    let folders = getenv("PATH").map { String(cString: $0) } ?? ""
    for folder in folders.split(separator: ":") where access("\(folder)/\(name)", X_OK) == 0 {
      return "\(folder)/\(name)"
    }
    // Started with an argument 0 that is no path: then only the kernel knows.
    guard let path = realpath("/proc/self/exe", nil) else { throw MasterError(cannot: "find the program of roost") }
    defer { free(path) }
    return String(cString: path)
  }
}
