import Glibc
import RoostConfiguration
import RoostCore
import RoostSystemd

/// Asks workers by their probes, again and again until they pass or are no longer to be asked.
final class Prober {
  private final class Subject {
    let id: WorkerID
    let release: Release
    /// The worker's own: no other worker can answer there.
    let listener: Listener
    var delay = Prober.firstDelay
    /// When it is asked again.
    var next: Instant?
    var question: HTTPProbe?
    var command: CommandProcess?
    /// Why it hasn't passed yet.
    var reason = "it has not answered"

    init(_ id: WorkerID, _ release: Release, _ listener: Listener) {
      self.id = id
      self.release = release
      self.listener = listener
    }
  }

  /// How a command is started for a worker, with this address.
  typealias CommandStart = (WorkerID, Release, [String], String) throws(MasterError) -> CommandProcess

  private static let firstDelay: Duration = .milliseconds(20)
  private static let longestDelay: Duration = .seconds(1)

  /// How long to ask before others get their turn: a command may have to be started for each worker.
  private static let turn: Duration = .milliseconds(10)

  private let loop: EventLoop
  private var subjects: [Subject] = []
  /// Answered, but not read to the end.
  private var answered: [HTTPProbe] = []
  private var timer: Timer?
  private var passed: (WorkerID) -> Void = { _ in }
  private var start: CommandStart?

  init(loop: EventLoop) {
    self.loop = loop
  }

  /// Calls `passed` with each worker that passes.
  func watch(start: @escaping CommandStart, passed: @escaping (WorkerID) -> Void) throws(SystemdError) {
    self.start = start
    self.passed = passed
    timer = try loop.timer(priority: .late) { [unowned self] in
      askThoseDue()
      arm()
    }
  }

  /// The one that has waited longest comes first; those that don't get their turn are asked in the next one.
  private func askThoseDue() {
    let began = Clock.now()
    let due = subjects.filter { $0.next.map { $0 <= began } ?? false }
    for subject in due.sorted(by: { $0.next! < $1.next! }) {
      ask(subject)
      if Clock.now() - began > Self.turn { return }
    }
  }

  /// Opens a listener for a worker that has a probe. It blocks or not, like the master's other listeners.
  static func listener(_ release: Release, like listeners: [ListenerConfiguration]) throws(MasterError) -> Listener? {
    guard release.configuration.probe != nil else { return nil }
    var wanted = ListenerConfiguration(
      name: Probe.listenerName, address: .tcp(.ipv4("127.0.0.1"), port: 0), backlog: 64)
    wanted.isNonblocking = listeners.first?.isNonblocking ?? false
    return try Listener.open(wanted, beside: [])
  }

  /// A worker that may be asked later was started.
  func add(_ id: WorkerID, _ release: Release, _ listener: Listener) {
    subjects.append(Subject(id, release, listener))
  }

  /// What an upgrade hands over. A worker that was being asked is asked again.
  struct Saved: Codable {
    let id: WorkerID
    let listener: Listener.Saved
  }

  var saved: [Saved] { subjects.map { Saved(id: $0.id, listener: $0.listener.saved) } }

  /// Ends the running commands: the new binary asks again. If it doesn't take over, this one does.
  func interrupt() {
    for subject in subjects where subject.command != nil {
      subject.command?.kill()
      subject.command = nil
      subject.next = Clock.now()
    }
    arm()
  }

  func begin(_ id: WorkerID) {
    guard let subject = subjects.first(where: { $0.id == id }) else {
      preconditionFailure("a probe without a listener")
    }
    subject.next = Clock.now()
    arm()
  }

  /// Forgets the workers that are no longer to be asked.
  func forget(where isOver: (WorkerID) -> Bool) {
    answered.removeAll(where: \.isOver)
    guard !subjects.isEmpty else { return }
    for subject in subjects where isOver(subject.id) { subject.command?.kill() }
    subjects.removeAll { isOver($0.id) }
    if subjects.isEmpty { answered = [] }
    arm()
  }

  /// Why a worker hasn't passed yet; nil if it isn't asked.
  func reason(_ id: WorkerID) -> String? { subjects.first { $0.id == id }?.reason }

  /// A child of the master has exited: perhaps a probe command.
  func exited(_ pid: pid_t, _ cause: ExitCause, _ words: String) {
    guard let subject = subjects.first(where: { $0.command?.pid == pid }) else { return }
    subject.command?.output.finish()
    let lastWords = subject.command?.output.lastLines.last
    subject.command = nil
    if cause == .exited(status: 0) { return passed(subject.id) }
    failed(subject, "the command \(words)" + (lastWords.map { ", saying: \($0)" } ?? ""))
  }

  private func ask(_ subject: Subject) {
    subject.next = nil
    do {
      guard let address = SocketAddress.local(of: subject.listener.descriptor) else {
        throw MasterError(cannot: "determine the address of the probe")
      }
      switch subject.release.configuration.probe {
      case .http(let path, let status):
        subject.question = try HTTPProbe(address, path: path, in: loop) { [unowned self, unowned subject] result in
          answered(subject, result, expected: status)
        }
      case .command(let command): subject.command = try start?(subject.id, subject.release, command, address.bareText)
      case nil: preconditionFailure("a probe that isn't configured")
      }
    } catch {
      failed(subject, "\(error)")
    }
  }

  private func answered(_ subject: Subject, _ result: Result<Int, MasterError>, expected: Int) {
    if let question = subject.question, !question.isOver { answered.append(question) }
    subject.question = nil
    switch result {
    case .success(expected): passed(subject.id)
    case .success(let status): failed(subject, "it answered with status \(status)")
    case .failure(let error): failed(subject, "\(error)")
    }
  }

  private func failed(_ subject: Subject, _ reason: String) {
    subject.reason = reason
    subject.next = Clock.now() + subject.delay
    subject.delay = min(subject.delay * 2, Self.longestDelay)
    arm()
  }

  private func arm() {
    timer?.set(subjects.compactMap(\.next).min()?.microseconds)
  }
}
