import Glibc
import RoostConfiguration
import RoostCore
import RoostJSON

/// What the workers of one generation run. Symbolic links are resolved once, so that a worker restarted after a crash
/// runs what its generation runs, even if the link has moved on to a release that isn't loaded yet.
final class Release {
  let configuration: WorkerConfiguration
  /// The path of the executable.
  let executable: String
  /// The directory that workers start in.
  let directory: String
  /// The paths of the operator's commands.
  let programs: [Program]
  let arguments: CStrings
  /// What every worker's environment begins with.
  let environment: [String]
  /// The listeners that its workers get, in the order of their descriptors.
  var listeners: [PassedListener] = []

  /// A command and the file that it names.
  struct Program: Codable {
    let command: String
    let path: String
  }

  /// What a configuration stands for in the file system.
  struct Places: Codable {
    let directory: String
    let executable: String
    let programs: [Program]
  }

  init(_ configuration: WorkerConfiguration, _ places: Places, environment: [String]) {
    self.configuration = configuration
    executable = places.executable
    directory = places.directory
    programs = places.programs
    self.environment = environment
    arguments = CStrings(configuration.command)
  }

  /// The path of an operator's command; nil where it wasn't looked for, by a former version.
  func path(of command: String) -> String? { programs.first { $0.command == command }?.path }

  /// What an upgrade hands over.
  struct Saved: Codable {
    let generation: Generation
    let configuration: JSON
    let executable: String
    let directory: String
    let programs: [Program]?
    let environment: [String]
    let listeners: [SavedListener]
  }

  /// A listener as its workers get it.
  struct SavedListener: Codable {
    let configuration: JSON
    /// Which it is of those that are open.
    let index: Int
  }

  func saved(as generation: Generation, _ open: [Listener]) -> Saved {
    Saved(
      generation: generation, configuration: configuration.json, executable: executable, directory: directory,
      programs: programs, environment: environment,
      listeners: listeners.compactMap { passed in
        open.firstIndex { $0 === passed.listener }.map {
          SavedListener(configuration: passed.configuration.json, index: $0)
        }
      })
  }

  convenience init(restoring saved: Saved, _ open: [Listener]) throws(ConfigurationError) {
    self.init(
      try WorkerConfiguration(json: saved.configuration),
      Places(directory: saved.directory, executable: saved.executable, programs: saved.programs ?? []),
      environment: saved.environment)
    for passed in saved.listeners {
      listeners.append(
        PassedListener(
          configuration: try ListenerConfiguration(json: passed.configuration), listener: open[passed.index]))
    }
  }
}

/// Resolves command and directory anew for each generation: a release is often a moved symbolic link.
public struct ReleaseResolver {
  private let startDirectory: String
  /// The master's environment without what is private to it.
  private let inherited: [String]

  /// A resolver for commands that run where the master was started, unless they are told otherwise.
  public init() throws(MasterError) { self.init(startDirectory: try WorkingDirectory.logical()) }

  init(startDirectory: String) {
    self.startDirectory = startDirectory
    inherited = WorkerEnvironmentBase.assignments()
  }

  /// Throws what stands in the way of running a worker.
  public func check(_ configuration: WorkerConfiguration) throws(MasterError) {
    _ = try places(of: configuration)
  }

  /// What the configuration stands for now.
  func resolve(_ configuration: WorkerConfiguration) throws(MasterError) -> Release {
    release(configuration, try places(of: configuration))
  }

  /// Looks in the file system, which may hang: a running master has another process do that.
  func places(of configuration: WorkerConfiguration) throws(MasterError) -> Release.Places {
    let logical = configuration.directory ?? startDirectory
    guard let directory = resolvedPath(logical) else { throw MasterError(cannot: "enter the directory \(logical)") }
    let environment = environment(configuration)
    var probe: [String]?
    if case .command(let command) = configuration.probe { probe = command }
    var programs: [Release.Program] = []
    for command in [configuration.beforeReload, configuration.afterTakeover, probe] {
      guard let command else { continue }
      programs.append(
        Release.Program(command: command[0], path: try executable(command[0], in: directory, environment)))
    }
    return Release.Places(
      directory: directory, executable: try executable(configuration.command[0], in: directory, environment),
      programs: programs)
  }

  /// The release whose places are known.
  func release(_ configuration: WorkerConfiguration, _ places: Release.Places) -> Release {
    Release(configuration, places, environment: environment(configuration))
  }

  private func environment(_ configuration: WorkerConfiguration) -> [String] {
    let base = inherited.filter { assignment in
      (configuration.output == .direct || !WorkerEnvironmentBase.isOfStderr(assignment))
        && (configuration.identity == nil || !WorkerEnvironmentBase.isOfSession(assignment))
    }
    return WorkerEnvironmentBase.merge(base, configuration.environment)
  }

  /// The file that a command names: beside the directory of the workers, or in the PATH that they have.
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
