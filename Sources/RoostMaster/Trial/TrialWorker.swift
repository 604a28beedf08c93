import Glibc
import RoostConfiguration
import RoostCore
import RoostProcess
import RoostSystemd

package final class TrialWorker {
  /// How a worker was known to be ready.
  package enum Word: Hashable, Sendable {
    /// `READY=1`
    case message
    /// A line to the descriptor in `READY_FD`.
    case line
    /// It was seen to accept.
    case sighting
    /// The acknowledgement of einhorn's clients.
    case acknowledgement
    /// It was alive for long enough.
    case age
  }

  let process: WorkerProcess
  /// Including the listener of its probe: kept open as long as it is looked at.
  private let listeners: [Listener]
  private let settings: Settings
  private let started = Clock.now()
  private var stopped: Instant?
  private var extendedUntil = Instant(sinceOrigin: .zero)

  /// Its pid, even when it has exited.
  package var pid: pid_t { process.pid }
  /// How it was known to be ready, and how long after its start; nil as long as it isn't.
  package private(set) var readiness: (by: Word, after: Duration)?
  /// What it lacks to be ready, if that is known.
  package internal(set) var lacks: String?
  /// How it ended, and how long after it was told to stop, or after its start.
  package private(set) var exit: (cause: ExitCause, after: Duration)?

  init(_ process: WorkerProcess, listeners: [Listener], settings: Settings) {
    self.process = process
    self.listeners = listeners
    self.settings = settings
  }

  /// The inodes of the sockets that it was given.
  package var passedInodes: [UInt64] {
    listeners.compactMap { SocketIdentity(of: $0.number(slot: process.id.slot))?.inode }
  }

  /// Its pid and those of its descendants.
  package var processes: [pid_t] { exit == nil ? ProcessTree.pids(below: pid) : [] }

  /// The last lines that it wrote to stderr.
  package var lastLines: [String] {
    process.output.finish()
    return process.output.lastLines
  }

  /// Whether it has ended as one that was told to stop should.
  package var hasExitedCleanly: Bool {
    exit?.cause == .exited(status: 0)
      || stopped != nil
        && exit?.cause == .signalled(process.release.configuration.stopSignal.number, dumpedCore: false)
  }

  /// How it ended, in words.
  package var exitText: String? { exit?.cause.text }

  /// Sends it the stop signal.
  package func stop() {
    stopped = Clock.now()
    process.drain()
  }

  /// Kills it with its process group.
  package func kill() {
    process.kill()
  }

  // MARK: For the trial

  var readyDeadline: Instant {
    switch settings.readiness {
    case .reported(let timeout): max(started + timeout, extendedUntil)
    // Its readiness is noticed a moment later.
    case .alive(let age): started + age + .seconds(1)
    }
  }

  var drainDeadline: Instant { max((stopped ?? started) + settings.drainTimeout, extendedUntil) }

  var isReadyByNow: Bool {
    if case .alive(let age) = settings.readiness, Clock.now() >= started + age { isReady(by: .age) }
    return readiness != nil
  }

  func isReady(by word: Word) {
    if readiness == nil { readiness = (word, Clock.now() - started) }
  }

  func watch(in loop: EventLoop, _ spoke: @escaping () -> Void) throws(SystemdError) {
    try process.listen(in: loop) { [unowned self] word in
      switch word {
      case .any: spoke()
      case .ready(.message): isReady(by: .message)
      case .ready(.line): isReady(by: .line)
      case .ready(.acknowledgement): isReady(by: .acknowledgement)
      case .time(let duration): extendedUntil = max(extendedUntil, Clock.now() + duration)
      case .status, .reload, .flood, .trouble: break
      }
    }
  }

  func exited(_ cause: ExitCause) {
    // Its last messages are heard first.
    process.conversation.listenLast()
    process.output.finish()
    process.state = .remains
    exit = (cause, Clock.now() - (stopped ?? started))
  }
}
