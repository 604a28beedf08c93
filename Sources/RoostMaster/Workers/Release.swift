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
  let arguments: CStrings
  /// What every worker's environment begins with.
  let environment: [String]
  /// The listeners that its workers get, in the order of their descriptors.
  var listeners: [PassedListener] = []

  init(_ configuration: WorkerConfiguration, executable: String, directory: String, environment: [String]) {
    self.configuration = configuration
    self.executable = executable
    self.directory = directory
    self.environment = environment
    arguments = CStrings(configuration.command)
  }

  /// What an upgrade hands over.
  struct Saved: Codable {
    let generation: Generation
    let configuration: JSON
    let executable: String
    let directory: String
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
      environment: environment,
      listeners: listeners.compactMap { passed in
        open.firstIndex { $0 === passed.listener }.map {
          SavedListener(configuration: passed.configuration.json, index: $0)
        }
      })
  }

  convenience init(restoring saved: Saved, _ open: [Listener]) throws(ConfigurationError) {
    self.init(
      try WorkerConfiguration(json: saved.configuration), executable: saved.executable, directory: saved.directory,
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
  public init() throws(MasterError) {
    startDirectory = try WorkingDirectory.logical()
    inherited = WorkerEnvironmentBase.assignments()
  }

  /// Throws what stands in the way of running a worker.
  public func check(_ configuration: WorkerConfiguration) throws(MasterError) {
    _ = try resolve(configuration)
  }

  /// What the configuration stands for now.
  func resolve(_ configuration: WorkerConfiguration) throws(MasterError) -> Release {
    let logical = configuration.directory ?? startDirectory
    guard let directory = resolvedPath(logical) else { throw MasterError(cannot: "enter the directory \(logical)") }
    let base = inherited.filter { assignment in
      (configuration.output == .direct || !WorkerEnvironmentBase.isOfStderr(assignment))
        && (configuration.identity == nil || !WorkerEnvironmentBase.isOfSession(assignment))
    }
    let environment = WorkerEnvironmentBase.merge(base, configuration.environment)
    var probe: [String]?
    if case .command(let command) = configuration.probe { probe = command }
    for hook in [configuration.beforeReload, configuration.afterTakeover, probe] {
      if let hook { _ = try executable(hook[0], in: directory, environment) }
    }
    return Release(
      configuration, executable: try executable(configuration.command[0], in: directory, environment),
      directory: directory, environment: environment)
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
