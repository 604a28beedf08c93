import Glibc
import RoostConfiguration
import RoostCore

/// Resolves command and directory again for each generation: a release is often a moved symbolic link.
package struct ReleaseResolver {
  private let startDirectory: String
  /// The master's environment without what is private to it.
  private let inherited: [String]

  /// A resolver for commands that run where the master was started, unless configured otherwise.
  package init() throws(MasterError) { self.init(startDirectory: try WorkingDirectory.logical()) }

  init(startDirectory: String) {
    self.startDirectory = startDirectory
    inherited = WorkerEnvironmentBase.assignments()
  }

  /// Throws if something prevents a worker from running.
  package func check(_ configuration: WorkerConfiguration) throws(MasterError) {
    _ = try pin(configuration)
  }

  /// The paths of a configuration that lead through symbolic links and can't be pinned.
  package func unpinned(in configuration: WorkerConfiguration) throws(MasterError) -> [UnpinnedPath] {
    UnpinnedPath.all(in: try pin(configuration).worker ?? configuration)
  }

  /// What the configuration stands for now. Nothing is running yet, so this may wait.
  func resolve(_ configuration: WorkerConfiguration) throws(MasterError) -> Release {
    try release(configuration, try pin(configuration), mayHang: false)
  }

  /// Looks in the file system, which may hang: a running master lets another process do that.
  func pin(_ configuration: WorkerConfiguration) throws(MasterError) -> PinnedRelease {
    let logical = configuration.directory ?? startDirectory
    guard let directory = resolvedPath(logical) else { throw MasterError(cannot: "enter the directory \(logical)") }
    let environment = environment(configuration)
    var probe: [String]?
    if case .command(let command) = configuration.probe { probe = command }
    var programs: [PinnedRelease.Program] = []
    for command in [configuration.beforeReload, configuration.afterTakeover, probe] {
      guard let command else { continue }
      programs.append(
        PinnedRelease.Program(command: command[0], path: try executable(command[0], in: directory, environment)))
    }
    let executable = try executable(configuration.command[0], in: directory, environment)
    return PinnedRelease(
      directory: directory, executable: executable, isBinary: Self.isBinary(executable), programs: programs,
      worker: configuration.pinned(in: directory))
  }

  /// The release of what was found a moment ago; `configuration` is used if a former version looked.
  func release(
    _ configuration: WorkerConfiguration, _ pinned: PinnedRelease, mayHang: Bool
  ) throws(MasterError) -> Release {
    let worker = pinned.worker ?? configuration
    let release = Release(worker, pinned, environment: environment(worker))
    try release.keepFiles(mayHang: mayHang)
    return release
  }

  private func environment(_ configuration: WorkerConfiguration) -> [String] {
    let base = inherited.filter { assignment in
      (configuration.output == .direct || !WorkerEnvironmentBase.isOfStderr(assignment))
        && (configuration.identity == nil || !WorkerEnvironmentBase.isOfSession(assignment))
    }
    return WorkerEnvironmentBase.merge(base, configuration.environment)
  }

  /// The file that a command names: relative to the workers' directory, or in their PATH.
  func executable(
    _ command: String, in directory: String, _ environment: [String]
  ) throws(MasterError) -> String {
    if command.utf8.contains(UInt8(ascii: "/")) {
      let path = command.utf8.first == UInt8(ascii: "/") ? command : directory + "/" + command
      guard let resolved = resolvedPath(path), Self.isExecutable(resolved) else {
        throw MasterError(cannot: "execute \(command)")
      }
      return resolved
    }
    let assignment = environment.last { $0.utf8.starts(with: "PATH=".utf8) }
    let path = assignment.map { String(Substring($0.utf8.dropFirst(5))) } ?? "/usr/local/bin:/usr/bin:/bin"
    for folder in path.utf8.split(separator: UInt8(ascii: ":")) where folder.first == UInt8(ascii: "/") {
      let folder = Substring(folder)
      if let resolved = resolvedPath("\(folder)/\(command)"), Self.isExecutable(resolved) { return resolved }
    }
    throw MasterError("cannot execute \(command): it is in no directory of PATH (\(path))")
  }

  /// The same for a command of a release, if it wasn't pinned.
  func executable(_ command: String, of release: Release) throws(MasterError) -> String {
    if let path = release.path(of: command) { return path }
    return try executable(command, in: release.directory, release.environment)
  }

  /// Sets errno if it isn't.
  private static func isExecutable(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0 else { return false }
    guard status.st_mode & S_IFMT == S_IFREG else {
      errno = status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EACCES
      return false
    }
    return access(path, X_OK) == 0
  }

  /// Whether the kernel executes it directly: an interpreter that it executes instead, for a script or by binfmt_misc,
  /// only finds the file by its path. A file that this user can't read can't be a script.
  private static func isBinary(_ path: String) -> Bool {
    let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard number >= 0 else { return true }
    let file = Descriptor(adopting: number)
    var magic: [UInt8] = [0, 0, 0, 0]
    return read(file.number, &magic, magic.count) == magic.count && magic == [0x7f, 0x45, 0x4c, 0x46]
  }
}

/// The path without symbolic links (realpath(3)), or nil with errno set.
func resolvedPath(_ path: String) -> String? {
  guard let resolved = realpath(path, nil) else { return nil }
  defer { free(resolved) }
  return String(cString: resolved)
}
