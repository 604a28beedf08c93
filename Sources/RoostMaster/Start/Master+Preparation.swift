import RoostConfiguration
import RoostControl
import RoostCore

extension Master {
  /// Reads anew what a reload may change, and looks for what it names. Where nothing can have changed but files, that is only
  /// a matter of looking.
  func prepare(_ generation: Generation) {
    guard let reader else { return look(generation, configuration) }
    do {
      try watch(Preparation(of: generation, reader: reader, directory: startDirectory))
    } catch {
      handle(.generationNotPrepared(generation, reason: "\(error)"))
    }
  }

  /// Looks for what a former generation ran.
  func prepare(_ generation: Generation, asRecordedOf former: Generation) {
    guard let recorded = history.configuration(of: former) else {
      let reason = "what generation \(former.number) ran isn't recorded any more; 'roost history' shows what is"
      return handle(.generationNotPrepared(generation, reason: reason))
    }
    look(generation, configuration.running(recorded))
  }

  private func look(_ generation: Generation, _ new: Configuration) {
    do {
      try Acceptance.check(new.worker)
      guard mounts.mayHang else { return finish(generation, new, try resolver.pin(new.worker)) }
      try watch(Preparation(of: generation, looking: new, with: resolver))
    } catch {
      handle(.generationNotPrepared(generation, reason: "\(error)"))
    }
  }

  func watch(_ preparation: Preparation) throws {
    try preparation.watch(in: loop) { [unowned self, generation = preparation.generation] in
      prepared($0, generation)
    }
    self.preparation = preparation
  }

  func abandonPreparation() {
    preparation?.abandon()
    preparation = nil
  }

  private func prepared(_ result: Result<Preparation.Finding, MasterError>, _ generation: Generation) {
    preparation = nil
    switch result {
    case .success(let found):
      let new = found.configuration
      if let change = fixedChange(in: new) { return handle(.generationNotPrepared(generation, reason: change)) }
      guard let places = found.places else { return look(generation, new) }
      finish(generation, new, places)
    case .failure(let error): handle(.generationNotPrepared(generation, reason: "\(error)"))
    }
  }

  private func finish(_ generation: Generation, _ new: Configuration, _ places: PinnedRelease) {
    do {
      let release = try resolver.release(new.worker, places, mayHang: mounts.mayHang)
      try openListeners(for: new.listeners, of: release)
      releases[generation] = release
      historyLength = new.history?.length ?? historyLength
      if historyWriter == nil {
        historyWriter = new.history.map { HistoryWriter(in: $0.directory, of: configuration.name, loop: loop, log) }
      }
      prepared(generation, of: origin(of: generation), new)
      // Its number isn't used again, whatever becomes of this master.
      recordSoon()
      handle(.generationPrepared(generation, settings: new.settings))
    } catch {
      handle(.generationNotPrepared(generation, reason: "\(error)"))
    }
  }

  /// What a reload can't change. To go on with the former value and say nothing would be no truthful success.
  private func fixedChange(in new: Configuration) -> String? {
    let (old, wanted) = (configuration.control, new.control)
    // Where it is made of the name, it goes with that.
    let isDerived =
      old?.directory == ControlPlace.forMaster(name: configuration.name)
      && wanted?.directory == ControlPlace.forMaster(name: new.name)
    let changed: [(String, Bool)] = [
      ("name", new.name != configuration.name), ("pid-file", new.pidFile != configuration.pidFile),
      ("control-directory", old?.directory != wanted?.directory && !isDerived),
      ("control-group", old?.group != wanted?.group), ("state-directory", hasMoved(new)),
      ("metrics", new.metrics != configuration.metrics),
    ]
    let names = changed.filter(\.1).map { "'\($0.0)'" }
    guard let last = names.last else { return nil }
    let have = names.count == 1 ? "has" : "have"
    let all = names.count == 1 ? last : names.dropLast().joined(separator: ", ") + " and " + last
    return "\(all) \(have) changed, which takes effect only when the service is restarted"
  }

  /// Whether the record is to be elsewhere, other than with the control socket, beside which it is where nothing else is said.
  private func hasMoved(_ new: Configuration) -> Bool {
    guard let old = configuration.history, old.directory != new.history?.directory else { return false }
    return old.directory != configuration.control?.directory || new.history?.directory != new.control?.directory
  }

  func run(_ hook: Hook, _ generation: Generation) {
    guard let release = releases[generation] else { preconditionFailure("a hook of a generation that wasn't prepared") }
    let command: [String]? =
      switch hook {
      case .beforeReload: release.configuration.beforeReload
      case .afterTakeover: release.configuration.afterTakeover
      }
    guard let command else { preconditionFailure("a hook that isn't configured") }
    do {
      let executable = try executable(command[0], of: release)
      hooks.append(
        try spawner.run(hook, of: generation, command, release: release, executable: executable))
    } catch {
      handle(.hookEnded(hook, generation, failure: "\(error)"))
    }
  }

  /// Starts the command of a probe for a worker.
  func runProbe(
    _ id: WorkerID, _ release: Release, _ command: [String], _ address: String
  ) throws(MasterError) -> ProbeCommand {
    let executable = try executable(command[0], of: release)
    return try spawner.run(probe: command, of: id, at: address, release: release, executable: executable)
  }

  private func executable(_ command: String, of release: Release) throws(MasterError) -> String {
    if let path = release.path(of: command) { return path }
    return try resolver.executable(command, in: release.directory, release.environment)
  }

  func kill(_ hook: Hook, _ generation: Generation) {
    for running in hooks where running.hook == hook && running.generation == generation { running.kill() }
  }

  func hookExited(_ running: HookProcess, _ cause: ExitCause) {
    running.output.finish()
    hooks.removeAll { $0 === running }
    guard cause != .exited(status: 0) else {
      return handle(.hookEnded(running.hook, running.generation, failure: nil))
    }
    lastWords = running.output.lastLines
    handle(.hookEnded(running.hook, running.generation, failure: "it \(words.text(cause))"))
    lastWords = []
  }
}
