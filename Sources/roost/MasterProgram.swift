import Glibc
import RoostArguments
import RoostMaster

/// The binary of the master, which is installed beside this one.
enum MasterProgram {
  private static let name = "roost-master"

  /// Its path: in the directory of this program, or in libexec/roost beside that.
  static func path() throws(MasterError) -> String {
    let own = try ownPath()
    // First by the name that was used, so that a moved link leads to a new version; then where a link points.
    var candidates = [own]
    if let resolved = realpath(own, nil) {
      candidates.append(String(cString: resolved))
      free(resolved)
    }
    for program in candidates {
      let directory = program[..<(program.lastIndex(of: "/") ?? program.startIndex)]
      for path in ["\(directory)/\(name)", "\(directory)/../libexec/roost/\(name)"] where access(path, X_OK) == 0 {
        return path
      }
    }
    throw MasterError("cannot find \(name): it belongs in the directory of \(own)")
  }

  /// The path by which this program was started.
  static func ownPath() throws(MasterError) -> String {
    let name = ProgramArguments.all[0]
    if name.hasPrefix("/") { return name }
    if name.contains("/") { return try WorkingDirectory.logical() + "/" + name }
    let folders = getenv("PATH").map { String(cString: $0) } ?? ""
    for folder in folders.split(separator: ":") where access("\(folder)/\(name)", X_OK) == 0 {
      // The master works elsewhere.
      return folder.hasPrefix("/") ? "\(folder)/\(name)" : try WorkingDirectory.logical() + "/\(folder)/\(name)"
    }
    // Started with an argument 0 that isn't a path: then only the kernel knows.
    guard let path = realpath("/proc/self/exe", nil) else { throw MasterError(cannot: "find the program of roost") }
    defer { free(path) }
    return String(cString: path)
  }
}
