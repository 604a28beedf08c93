import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostProcess
import RoostSystemd

/// Looks in /proc whether workers have begun to accept, while any is awaited, and never else. All that it knows follows
/// from the workers that aren't ready: it can begin anew at any time.
final class Acceptance {
  /// A worker that is awaited.
  private struct Awaited {
    let id: WorkerID
    let pid: pid_t
    /// The names of the listeners on which it wasn't seen to accept.
    var missing: [SocketIdentity: String]
    var watch: AcceptanceWatch
    var refusal: Int32?
  }

  /// How long a worker that was seen to accept may take to say that it speaks for itself: about as long as a busy machine
  /// needs between the listen(2) of a server and its READY=1.
  private static let grace: Duration = .seconds(1)

  /// How long looks may keep others from their turn.
  private static let turn: Duration = .milliseconds(10)
  /// After looks the master rests for so many times what they have taken: a thousand workers that boot mustn't find a
  /// master that does nothing but look.
  private static let rest = 4

  private let log: Log
  private var restUntil = Instant(sinceOrigin: .zero)
  private var awaited: [Awaited] = []
  private var timer: Timer?

  init(log: Log) {
    self.log = log
  }

  /// Calls the handler with each worker that is ready by what was seen.
  func watch(in loop: EventLoop, _ ready: @escaping (WorkerID) -> Void) throws(SystemdError) {
    // After signals, and after what workers say: a message that came first is heard first.
    timer = try loop.timer(priority: .late) { [unowned self] in
      timer?.wentOff()
      look().forEach(ready)
      arm()
    }
  }

  /// Why workers can't be seen, if they can't.
  static func obstacle(_ worker: WorkerConfiguration) -> String? {
    ObservationAccess(workerUser: worker.identity?.user, workerGroup: worker.identity?.group).obstacle
  }

  /// Throws where workers are to be seen and can't be. Nothing is guessed.
  static func check(_ worker: WorkerConfiguration) throws(MasterError) {
    guard worker.readinessChannel == .accepting, let obstacle = obstacle(worker) else { return }
    throw MasterError("cannot see when a worker accepts: \(obstacle); another value of 'ready' does without")
  }

  /// Awaits a worker that was just started, where a sighting would be readiness.
  func await(_ process: WorkerProcess, _ passed: [PassedListener]) {
    // A socket for datagrams has nothing to accept.
    let listeners = passed.filter { !$0.listener.isDatagram }
    let grace: Duration
    switch process.release.configuration.readinessChannel {
    case .automatic where !listeners.isEmpty && Self.obstacle(process.release.configuration) == nil:
      grace = Self.grace
    case .accepting: grace = .zero
    case .automatic, .notify, .pipe, .einhorn, .none: return
    }
    var missing: [SocketIdentity: String] = [:]
    for listener in listeners {
      guard let identity = SocketIdentity(of: listener.listener.number(slot: process.id.slot)) else { continue }
      missing[identity] = listener.name
    }
    awaited.append(
      Awaited(
        id: process.id, pid: process.pid, missing: missing, watch: AcceptanceWatch(grace: grace, at: Clock.now())))
    arm()
  }

  /// The workers that have sent a message: what an upgrade has to hand over.
  var spoken: [WorkerID] { awaited.filter { $0.watch.stage == .over }.map(\.id) }

  /// The worker has sent a message.
  func spoke(_ id: WorkerID) {
    guard let index = awaited.firstIndex(where: { $0.id == id }) else { return }
    awaited[index].watch.spoke()
    arm()
  }

  /// Forgets the workers that nobody awaits any more.
  func forget(where isOver: (WorkerID) -> Bool) {
    guard !awaited.isEmpty else { return }
    awaited.removeAll { isOver($0.id) }
    arm()
  }

  /// What a worker that isn't ready lacks, for people; nil where sightings don't count.
  func lacks(_ id: WorkerID) -> String? {
    guard let worker = awaited.first(where: { $0.id == id }) else { return nil }
    if worker.watch.stage == .over { return "it sent messages, and no READY=1" }
    if let refusal = worker.refusal {
      return "the kernel doesn't let the master look at it (\(String(cString: strerror(refusal))))"
    }
    if worker.missing.isEmpty { return nil }
    return "it was never seen to accept on \(worker.missing.values.sorted().joined(separator: ", "))"
  }

  private func look() -> [WorkerID] {
    let began = Clock.now()
    var now = began
    let due = awaited.indices.filter { awaited[$0].watch.isLookDue(at: began) }
    // Who has waited longest comes first: otherwise some would never be looked at while others boot.
    for index in due.sorted(by: { awaited[$0].watch.deadline ?? began < awaited[$1].watch.deadline ?? began }) {
      look(at: index)
      now = Clock.now()
      if now - began > Self.turn { break }
    }
    restUntil = now + (now - began) * Self.rest
    var ready: [WorkerID] = []
    for index in awaited.indices where awaited[index].watch.becomesReady(at: now) { ready.append(awaited[index].id) }
    return ready
  }

  private func look(at index: Int) {
    let worker = awaited[index]
    let sighting = Observer.look(at: worker.pid, for: Set(worker.missing.keys))
    awaited[index].missing = worker.missing.filter { !sighting.accepted.contains($0.key) }
    if let refusal = sighting.refusal, worker.refusal == nil {
      awaited[index].refusal = refusal
      log.warning(
        "cannot look whether worker \(worker.pid) accepts: \(String(cString: strerror(refusal))) (of a program that may not be"
          + " read, or that changes its user, the kernel tells nothing)")
    }
    awaited[index].watch.looked(everywhere: awaited[index].missing.isEmpty, at: Clock.now())
  }

  private func arm() {
    var next: Instant?
    for worker in awaited {
      guard let deadline = worker.watch.deadline else { continue }
      next = next.map { min($0, deadline) } ?? deadline
    }
    timer?.set(next.map { max($0, restUntil) }?.microseconds)
  }
}
