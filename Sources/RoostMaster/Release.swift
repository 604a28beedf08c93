import Glibc

/// What the workers of one generation execute, and where. Symbolic links are resolved once, so that a worker restarted
/// after a crash runs what its generation runs, even if the link has moved on to a release that isn't loaded yet.
struct Release {
  /// The path of the executable.
  let executable: String
  /// The directory that workers start in.
  let directory: String
}

/// Resolves command and directory anew for each generation: a release is often a moved symbolic link.
struct ReleaseResolver {
  private let command: String
  private let logicalDirectory: String

  /// A resolver for a command, to be run where the master was started.
  init(command: String) throws(MasterError) {
    self.command = command
    logicalDirectory = try WorkingDirectory.logical()
  }

  /// What the command stands for now.
  func resolve() throws(MasterError) -> Release {
    guard let directory = resolvedPath(logicalDirectory) else {
      throw MasterError(cannot: "enter the directory \(logicalDirectory)")
    }
    return Release(executable: try executable(in: directory), directory: directory)
  }

  private func executable(in directory: String) throws(MasterError) -> String {
    if command.utf8.contains(UInt8(ascii: "/")) {
      let path = command.utf8.first == UInt8(ascii: "/") ? command : directory + "/" + command
      guard let resolved = resolvedPath(path), Self.isExecutable(resolved) else {
        throw MasterError(cannot: "execute \(command)")
      }
      return resolved
    }
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    for folder in path.utf8.split(separator: UInt8(ascii: ":")) where folder.first == UInt8(ascii: "/") {
      let folder = Substring(folder)
      if let resolved = resolvedPath("\(folder)/\(command)"), Self.isExecutable(resolved) { return resolved }
    }
    throw MasterError("cannot execute \(command): it is in no directory of PATH (\(path))")
  }

  /// Sets errno where it isn't.
  private static func isExecutable(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0 else { return false }
    guard status.st_mode & S_IFMT == S_IFREG else {
      errno = status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EACCES
      return false
    }
    return access(path, X_OK) == 0
  }
}

/// The path without symbolic links (realpath(3)), or nil with errno set.
private func resolvedPath(_ path: String) -> String? {
  guard let resolved = realpath(path, nil) else { return nil }
  defer { free(resolved) }
  return String(cString: resolved)
}
