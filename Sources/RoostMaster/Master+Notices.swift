import Glibc
import RoostControl
import RoostCore

/// What the supervisor reports.
extension Master {
  /// Lets each part take account of it.
  func remember(_ notice: Notice) {
    let words = words
    count(notice)
    record.take(notice, supervisor, words)
    troubles.take(notice, isDiverged: supervisor.divergence != nil, words, lastWords: lastWords)
    switch notice {
    case .reloadRequested(_, _, latched: .some), .upgradeRequested: files.renew()
    case .reloadBegan:
      // Workers are started first, if nothing has to be read.
      files.areWanted()
      loop.atRoundEnd { [unowned self] in files.renewWhatIsDue() }
      queueSampler.begin(listeners.all)
      upstream.lastFailure = nil
    case .tookOver(let generation, _): if let release = releases[generation] { listeners.takeOptions(of: release) }
    case .reloadSucceeded(let generation, _):
      listeners.areComplete()
      queueSampler.end(generation, listeners.all)
      outsiders.searchSoon()
    case .reloadFailed(let generation, _, _, _, _, _):
      queueSampler.end(generation, listeners.all)
      upstream.lastFailure = self.words.reloadFailure(notice)
      outsiders.searchSoon()
      listeners.tellBlocking(changedBy: generation)
    case .startSucceeded: listeners.areComplete()
    default: break
    }
  }

  /// Puts into the log what the operator should know, and tells the clients of the control socket.
  func report(_ notice: Notice) {
    // The news that a worker couldn't be started may still be waiting when it is told to drain with the others.
    if case .drainBegan(let id, _) = notice, workers.process(id) == nil { return }
    switch notice {
    // A quick one may be over before the round is, and a client that gets the verdict may look for the files.
    case .reloadSucceeded, .reloadFailed: files.renewWhatIsDue()
    default: break
    }
    let event = words.event(of: notice)
    log.write(event.record)
    listeners.sample()
    clients.tell(notice, event, queueSampler.lastEvidence, lastWords: lastWords)
    answerUpgrade(notice)
  }

  /// Tells the log and the clients what the master itself has done.
  func tell(_ event: ServiceEvent) {
    log.write(event.record)
    clients.tell(event)
  }

  /// The last lines of the process that has failed.
  func lastWords(of failure: Failure) -> [String] {
    switch failure {
    case .notPrepared, .notStarted, .notListening, .tookTooLong, .cancelled, .replaced, .overtaken: []
    case .hookFailed: hooks.lastWords
    case .exited(let id, _, _), .notReady(let id, _), .probeFailed(let id, _), .stopped(let id):
      workers.process(id)?.output.lastLines ?? []
    }
  }

  /// The words for what is reported now.
  var words: NoticeText {
    NoticeText(
      stopSignal: { [unowned self] in
        workers.process($0)?.release.configuration.stopSignal ?? configuration.worker.stopSignal
      },
      pid: { [unowned self] in workers.process($0)?.pid }, evidence: queueSampler.lastEvidence,
      lacks: { [unowned self] in workers.acceptance.lacks($0) },
      probeReason: { [unowned self] in workers.prober.reason($0) },
      leftBehind: { [unowned self] in workers.process($0)?.leftBehind.map(\.text) ?? [] },
      condition: supervisor.condition, program: program)
  }
}
