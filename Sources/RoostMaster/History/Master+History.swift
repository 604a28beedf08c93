import Glibc
import RoostConfiguration
import RoostCore
import RoostLog

/// What is recorded of the generations, and what comes back of it.
extension Master {
  /// What former masters of the service have recorded. What can't be used isn't lost, and keeps nothing from starting.
  static func pastHistory(_ configuration: Configuration, _ log: Log) -> History {
    guard let directory = configuration.history?.directory else { return History() }
    do {
      var history = try HistoryFile.read(in: directory, of: configuration.name) ?? History()
      history.formerMasterIsGone()
      return history
    } catch {
      log.warning("\(error); nothing that served before can come back")
      return History()
    }
  }

  private static var now: Int {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return now.tv_sec * 1_000_000 + now.tv_nsec / 1000
  }

  /// Where it was said what a generation runs that is being prepared.
  func origin(of generation: Generation) -> Origin {
    switch supervisor.phase {
    case .reloading(let reload) where reload.generation == generation: reload.origin
    // Nothing else is prepared while the service is started than what it falls back to.
    case .starting: supervisor.fallback.map { .record($0) } ?? .configuration
    case .idle, .serving, .reloading, .stopping, .stopped: .configuration
    }
  }

  /// A generation could be started.
  func prepared(_ generation: Generation, of origin: Origin, _ configuration: Configuration) {
    guard let release = releases[generation] else { preconditionFailure("a generation that wasn't prepared") }
    // What comes back twice is still what it was first.
    let first: Origin =
      switch origin {
      case .configuration: .configuration
      case .record(let former): .record(history.original(of: former))
      }
    history.prepared(
      HistoryEntry(
        generation, of: first, configuration.pinned(release), directory: release.directory, at: Self.now))
  }

  /// The generation has proved itself.
  func record(_ generation: Generation) {
    history.proved(generation)
    recordSoon()
  }

  func chronicle(_ notice: Notice) {
    switch notice {
    case .startSucceeded(let generation, _, _):
      settleFall(before: generation)
      history.tookOver(generation, at: Self.now)
      if case .configuration = supervisor.servingOrigin { history.succeeded(generation, after: generation) }
      recordSoon()
    case .reloadBegan(let generation, _):
      generationBeforeReload = supervisor.serving
      history.began(generation)
    case .reloadSucceeded(let generation, _):
      settleFall(before: generation)
      history.tookOver(generation, at: Self.now)
      history.succeeded(generation, after: generationBeforeReload)
      recordSoon()
    case .reloadFailed(let generation, let failure, _, _, _, _):
      if history.entry(generation) == nil { history.prepared(HistoryEntry(unprepared: generation, at: Self.now)) }
      history.failed(generation, words.reason(failure))
      recordSoon()
    case .fellBack(_, _, let failed, let failure): fallen = (failed, words.reason(failure))
    case .fallbackFailed: fallen = nil
    case .startFailed(let failure):
      history.failed(supervisor.serving, words.reason(failure))
      // Where nothing ever served there is nothing to be remembered.
      if history.servedLast != nil { recordSoon() }
    case .stopRequested, .stopAtOnceRequested:
      if isStopping {
        history.ended("the service was stopped", at: Self.now)
        recordSoon()
      }
    default: break
    }
  }

  /// Another generation serves than the one that couldn't get ready: what that was to run is refused from now on. Not before: it
  /// may get ready after all.
  private func settleFall(before serving: Generation) {
    if let fallen, fallen.generation < serving { history.failed(fallen.generation, fallen.reason) }
    fallen = nil
  }

  /// Has all of it written when what is urgent is done: to copy the process takes longer than to start a worker.
  func recordSoon() {
    guard !isRecordDue else { return }
    isRecordDue = true
    loop.atRoundEnd { [unowned self] in recordWhatIsDue() }
  }

  func recordWhatIsDue() {
    guard isRecordDue else { return }
    isRecordDue = false
    history.trim(to: historyLength, serving: supervisor.serving)
    historyWriter?.write(history)
  }
}
