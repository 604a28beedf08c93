import RoostConfiguration
import RoostCore

/// What the workers of one generation run. Symbolic links are resolved once, so that a worker restarted after a crash
/// runs what its generation runs, even if the link has moved on to a release that isn't loaded yet.
final class Release {
  /// What the operator has configured, with pinned paths.
  let configuration: WorkerConfiguration
  /// Where all of it is.
  let pinned: PinnedRelease
  let arguments: CStrings
  /// The beginning of every worker's environment.
  let environment: [String]
  /// The listeners that its workers get, in the order of their descriptors.
  var listeners: [PassedListener] = []
  /// The directory, kept open; nil if it couldn't be, or from a version that didn't.
  private(set) var directoryFile: PinnedFile?
  /// The same of the executable, if it is a binary.
  private(set) var executableFile: PinnedFile?

  var executable: String { pinned.executable }
  /// The directory that workers start in.
  var directory: String { pinned.directory }

  init(_ configuration: WorkerConfiguration, _ pinned: PinnedRelease, environment: [String]) {
    self.configuration = configuration
    self.pinned = pinned
    self.environment = environment
    arguments = CStrings(configuration.command)
  }

  /// The path of an operator's command; nil if a former version didn't look for it.
  func path(of command: String) -> String? { pinned.programs?.first { $0.command == command }?.path }

  /// Keeps what was found, before it can be replaced. To be called right after it was looked up.
  func keepFiles(mayHang: Bool) throws(MasterError) {
    directoryFile = try PinnedFile.open(directory, mayHang: mayHang)
    if pinned.isBinary == true { executableFile = try PinnedFile.open(executable, mayHang: mayHang) }
  }

  /// Why its workers can no longer be restarted, as far as that is known without asking a file system that may hang.
  func obstacle(mayHang: Bool) -> String? {
    if directoryFile?.isRemoved == true { return "its directory \(directory) was deleted" }
    if directoryFile == nil, PinnedFile.isGone(directory, mayHang: mayHang) == true {
      return "its directory \(directory) is gone"
    }
    if executableFile == nil, PinnedFile.isGone(executable, mayHang: mayHang) == true {
      return "its executable \(executable) is gone"
    }
    return nil
  }

  // MARK: Upgrade

  /// What an upgrade hands over. What a former version didn't have is missing, and not pinned.
  struct Saved: Codable {
    let generation: Generation
    let configuration: WorkerConfiguration
    let executable: String
    let isBinary: Bool?
    let directory: String
    let programs: [PinnedRelease.Program]?
    let environment: [String]
    let listeners: [SavedListener]
    let directoryFile: PinnedFile.Saved?
    let executableFile: PinnedFile.Saved?
  }

  /// A listener as its workers get it.
  struct SavedListener: Codable {
    let configuration: ListenerConfiguration
    /// Its index among those that are open.
    let index: Int
  }

  func saved(as generation: Generation, _ open: [Listener]) -> Saved {
    Saved(
      generation: generation, configuration: configuration, executable: executable, isBinary: pinned.isBinary,
      directory: directory, programs: pinned.programs, environment: environment,
      listeners: listeners.compactMap { passed in
        open.firstIndex { $0 === passed.listener }.map {
          SavedListener(configuration: passed.configuration, index: $0)
        }
      }, directoryFile: directoryFile?.saved, executableFile: executableFile?.saved)
  }

  convenience init(restoring saved: Saved, _ open: [Listener]) {
    self.init(
      saved.configuration,
      PinnedRelease(
        directory: saved.directory, executable: saved.executable, isBinary: saved.isBinary, programs: saved.programs,
        // From a former version it is what the operator wrote, as that version used it.
        worker: saved.configuration),
      environment: saved.environment)
    directoryFile = saved.directoryFile.map { PinnedFile(restoring: $0) }
    executableFile = saved.executableFile.map { PinnedFile(restoring: $0) }
    listeners = saved.listeners.map {
      PassedListener(configuration: $0.configuration, listener: open[$0.index])
    }
  }
}
