import RoostConfiguration
import RoostCore
import RoostSystemd

/// Finds out what a generation is to run: reads the configuration again, and looks for what it names. One generation at
/// a time.
final class Preparer {
  typealias Finding = (configuration: Configuration, places: PinnedRelease)

  let resolver: ReleaseResolver
  /// What the master was started with.
  private let configured: Configuration
  private let mounts: MountTable
  /// What reads the configuration again, if there is one to read.
  private let reader: String?
  private let directory: String
  private let loop: EventLoop
  private var running: Preparation?
  private var found: (Generation, Result<Finding, MasterError>) -> Void = { _, _ in }

  init(
    _ resolver: ReleaseResolver, _ configured: Configuration, _ mounts: MountTable, reader: String?, directory: String,
    _ loop: EventLoop
  ) {
    self.configured = configured
    self.resolver = resolver
    self.mounts = mounts
    self.reader = reader
    self.directory = directory
    self.loop = loop
  }

  /// Calls the handler with what was found for each generation that isn't abandoned.
  func watch(_ found: @escaping (Generation, Result<Finding, MasterError>) -> Void) { self.found = found }

  /// Reads the configuration again, if it can have changed, and looks for what it names.
  func read(_ generation: Generation) {
    guard let reader else { return look(generation, configured) }
    do {
      try watch(Preparation(of: generation, reader: reader, directory: directory))
    } catch {
      found(generation, .failure(MasterError("\(error)")))
    }
  }

  /// Looks for what a configuration names. If no file system can hang, the answer comes at once.
  func look(_ generation: Generation, _ configuration: Configuration) {
    do {
      try AcceptanceWatch.check(configuration.worker)
      guard mounts.mayHang else {
        return found(generation, .success((configuration, try resolver.pin(configuration.worker))))
      }
      try watch(Preparation(of: generation, looking: configuration, with: resolver))
    } catch {
      found(generation, .failure(MasterError("\(error)")))
    }
  }

  private func watch(_ preparation: Preparation) throws {
    try preparation.watch(in: loop) { [unowned self, generation = preparation.generation] result in
      running = nil
      switch result {
      case .success(let finding):
        if let change = configured.fixedChange(in: finding.configuration) {
          return found(generation, .failure(MasterError(change)))
        }
        guard let places = finding.places else { return look(generation, finding.configuration) }
        found(generation, .success((finding.configuration, places)))
      case .failure(let error): found(generation, .failure(error))
      }
    }
    running = preparation
  }

  func abandon() {
    running?.abandon()
    running = nil
  }

  var saved: Preparation.Saved? { running?.saved }

  func restore(_ saved: Preparation.Saved?) throws {
    if let saved { try watch(Preparation(restoring: saved)) }
  }
}
