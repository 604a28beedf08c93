import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostSystemd

/// What is recorded of the generations, and how it comes back.
final class ServiceRecord {
  /// What has served, including under former masters.
  private(set) var history: History
  private let service: String
  private let loop: EventLoop
  private let log: Log
  /// A former version had none; then it comes with the first reload.
  private var writer: HistoryWriter?
  /// Whether it has changed since it was written.
  private var isDue = false
  /// Whether it is written at the end of this round.
  private var isNext = false
  private var later: Timer?
  /// How long writing is put off if nothing depends on it.
  private static let delay: Duration = .milliseconds(100)
  /// How many generations it keeps.
  private var length: Int
  /// What served when the last reload began.
  private(set) var generationBeforeReload: Generation
  /// The generation that couldn't get ready, and why, while what served last is being started.
  private var fallen: (generation: Generation, reason: String)?
  /// The newest generation that serves.
  private var serving: Generation

  init(_ configuration: Configuration, _ history: History, serving: Generation, _ loop: EventLoop, _ log: Log) {
    self.history = history
    self.serving = serving
    generationBeforeReload = serving
    service = configuration.name
    self.loop = loop
    self.log = log
    length = configuration.history?.length ?? 1
    open(configuration)
  }

  /// Continues with what a former binary knew, if anything.
  convenience init(
    restoring saved: SavedState, _ configuration: Configuration, _ loop: EventLoop, _ log: Log
  ) {
    self.init(
      configuration, saved.history ?? Self.past(configuration, log), serving: saved.supervisor.serving, loop, log)
    if let generation = saved.generationBeforeReload { generationBeforeReload = generation }
  }

  /// What former masters of the service recorded. A record that can't be used isn't lost, and doesn't prevent a start.
  static func past(_ configuration: Configuration, _ log: Log) -> History {
    guard let directory = configuration.history?.directory else { return History() }
    do {
      var history = try HistoryFile.read(in: directory, of: configuration.name) ?? History()
      history.formerMasterIsGone()
      return history
    } catch {
      log.warning("\(error); no earlier generation can come back")
      return History()
    }
  }

  private func open(_ configuration: Configuration) {
    writer = configuration.history.map { HistoryWriter(in: $0.directory, of: service, loop: loop, log) }
  }

  // MARK: What happens

  /// A generation could be started.
  func prepared(_ generation: Generation, of origin: Origin, _ configuration: Configuration, _ release: Release) {
    length = configuration.history?.length ?? length
    if writer == nil { open(configuration) }
    // What comes back twice is still what it was at first.
    let first: Origin =
      switch origin {
      case .configuration: .configuration
      case .record(let former): .record(history.original(of: former))
      }
    history.prepared(
      HistoryEntry(
        generation, of: first, configuration.pinned(release), directory: release.directory, at: Clock.time()))
  }

  func proved(_ generation: Generation) {
    history.proved(generation)
    writeSoon()
  }

  /// Takes account of what has happened, after which this is the supervisor.
  func take(_ notice: Notice, _ supervisor: Supervisor, _ words: NoticeText) {
    serving = supervisor.serving
    switch notice {
    case .startSucceeded(let generation, _, _):
      settleFall(before: generation)
      history.tookOver(generation, at: Clock.time())
      if case .configuration = supervisor.servingOrigin { history.succeeded(generation, after: generation) }
      writeSoon()
    case .reloadBegan(let generation, _):
      generationBeforeReload = supervisor.serving
      history.began(generation)
    case .reloadSucceeded(let generation, _):
      settleFall(before: generation)
      history.tookOver(generation, at: Clock.time())
      history.succeeded(generation, after: generationBeforeReload)
      writeSoon()
    case .reloadFailed(let generation, let failure, _, _, _, _):
      if history.entry(generation) == nil { history.prepared(HistoryEntry(unprepared: generation, at: Clock.time())) }
      history.failed(generation, words.text(failure))
      writeSoon()
    case .fellBack(_, _, let failed, let failure): fallen = (failed, words.text(failure))
    case .fallbackFailed: fallen = nil
    case .startFailed(let failure):
      history.failed(supervisor.serving, words.text(failure))
      // If nothing ever served, there is nothing to remember.
      if history.servedLast != nil { writeSoon() }
    case .stopRequested, .stopAtOnceRequested:
      if supervisor.isStopping {
        history.ended("the service was stopped", at: Clock.time())
        writeSoon()
      }
    default: break
    }
  }

  /// A generation other than the one that couldn't get ready serves: what that one was to run is refused from now on.
  /// Not before, because it may get ready after all.
  private func settleFall(before serving: Generation) {
    if let fallen, fallen.generation < serving { history.failed(fallen.generation, fallen.reason) }
    fallen = nil
  }

  // MARK: Writing

  /// Writes all of it once what is urgent is done: copying the process takes longer than starting a worker.
  func writeSoon() {
    isDue = true
    guard !isNext else { return }
    isNext = true
    loop.atRoundEnd { [unowned self] in
      isNext = false
      writeWhatIsDue()
    }
  }

  /// The same a moment later: a new worker may be ready at any time, and as long as a copy of this process writes, the
  /// master pays for every page that it writes to, before it can stop the old one.
  func writeLater() {
    isDue = true
    later = later ?? (try? loop.timer(priority: .last) { [unowned self] in writeWhatIsDue() })
    guard let later else { return writeSoon() }
    later.set((Clock.now() + Self.delay).microseconds)
  }

  private func writeWhatIsDue() {
    later?.set(nil)
    guard isDue else { return }
    isDue = false
    history.trim(to: length, serving: serving)
    history.putDown()
    writer?.write(history)
  }

  /// Writes the last of it, at the end of the service.
  func finish() {
    writeWhatIsDue()
    writer?.finish()
  }

  /// Gives up what is being written: an older record mustn't come last.
  func abandon() { writer?.abandon() }
}
