import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostProcess
import RoostSystemd

/// Looks in /proc whether workers have begun to accept, only while one is awaited. All that it knows follows from the
/// workers that aren't ready: it can start again at any time.
final class AcceptanceWatch {
  private struct Awaited {
    let id: WorkerID
    let pid: pid_t
    /// The names of the listeners on which it wasn't seen to accept.
    var missing: [SocketIdentity: String]
    var schedule: AcceptanceSchedule
    /// Why it can't be looked at, in words.
    var refusal: String?
    /// Whether that was logged.
    var hasWarned = false
  }

  /// A look that another process takes.
  private struct Look {
    let id: WorkerID
    let began: Instant
    /// How many more steps to wait for it.
    var patience: Int
    var next: Instant
  }

  /// How long a worker that was seen to accept may take to say that it speaks for itself: about as long as a busy machine
  /// needs between the listen(2) of a server and its READY=1.
  private static let grace: Duration = .seconds(1)

  /// How long looks may keep other sources from their turn.
  private static let turn: Duration = .milliseconds(10)
  /// After looks there is a rest of this many times what they took: a thousand booting workers mustn't find a machine
  /// that does nothing but look.
  private static let rest = 4

  /// How long a look may take, in steps: while the machine stands still, at most one passes.
  private static let step: Duration = .milliseconds(500)
  private static let patience = 6
  private static let patienceText = "\((step * patience).text)"

  private let log: Log
  private let looksItself: Bool
  private var loop: EventLoop?
  private var ready: (WorkerID) -> Void = { _ in }
  private var restUntil = Instant(sinceOrigin: .zero)
  /// How much time looks have taken since the last rest.
  private var spent: Duration = .zero
  private var awaited: [Awaited] = []
  private var timer: Timer?
  private var observer: ObserverProcess?
  private var look: Look?
  /// An observer that was killed, but hasn't ended yet. Until it has, there are no looks: there would be more and more
  /// observers.
  private var abandoned: ObserverProcess?

  /// In a master another process looks, and nothing waits for it.
  init(log: Log, looksItself: Bool = false) {
    self.log = log
    self.looksItself = looksItself
  }

  /// Calls the handler with each worker that was seen to be ready.
  func watch(in loop: EventLoop, _ ready: @escaping (WorkerID) -> Void) throws(SystemdError) {
    self.loop = loop
    self.ready = ready
    // After signals, and after what workers say: a message that came first is heard first.
    timer = try loop.timer(priority: .late) { [unowned self] in
      giveUpLook()
      goOn()
    }
  }

  /// Why workers can't be seen to accept, if they can't.
  static func obstacle(_ worker: WorkerConfiguration) -> String? {
    ObservationAccess(workerUser: worker.identity?.user, workerGroup: worker.identity?.group).obstacle
  }

  /// Throws if workers are to be seen to accept but can't be. Nothing is guessed.
  static func check(_ worker: WorkerConfiguration) throws(MasterError) {
    guard worker.readinessChannel == .accepting, let obstacle = obstacle(worker) else { return }
    throw MasterError("cannot see when a worker accepts: \(obstacle); other values of 'ready' don't need that")
  }

  /// Awaits a worker that was just started, if a sighting would mean that it is ready.
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
        id: process.id, pid: process.pid, missing: missing, schedule: AcceptanceSchedule(grace: grace, at: Clock.now()))
    )
    arm()
  }

  /// The workers that have sent a message: what an upgrade has to hand over.
  var spoken: [WorkerID] { awaited.filter { $0.schedule.stage == .over }.map(\.id) }

  /// The worker has sent a message.
  func spoke(_ id: WorkerID) {
    guard let index = awaited.firstIndex(where: { $0.id == id }) else { return }
    awaited[index].schedule.spoke()
    arm()
  }

  /// Forgets the workers that are no longer awaited.
  func forget(where isOver: (WorkerID) -> Bool) {
    guard !awaited.isEmpty else { return }
    awaited.removeAll { isOver($0.id) }
    if awaited.isEmpty { interrupt() }
    arm()
  }

  /// Ends the observer. Another may begin at any time.
  func interrupt() {
    // One in the middle of a look may not end at once.
    if look != nil { abandonObserver() }
    observer?.kill()
    observer = nil
    look = nil
  }

  /// What a worker that isn't ready lacks, in words; nil if sightings don't count.
  func lacks(_ id: WorkerID) -> String? {
    guard let worker = awaited.first(where: { $0.id == id }) else { return nil }
    if worker.schedule.stage == .over { return "it sent messages, but no READY=1" }
    if let refusal = worker.refusal { return refusal }
    if abandoned != nil { return "the check of another worker hangs in the kernel; until it ends, none is checked" }
    if worker.missing.isEmpty { return nil }
    return "it was never seen to accept on \(worker.missing.values.sorted().joined(separator: ", "))"
  }

  // MARK: Looks

  /// Looks at the workers that are due, and reports those that are ready.
  private func goOn() {
    lookAround()
    let now = Clock.now()
    var seen: [WorkerID] = []
    for index in awaited.indices where awaited[index].schedule.becomesReady(at: now) { seen.append(awaited[index].id) }
    // The handler may forget some.
    seen.forEach(ready)
    arm()
  }

  private func lookAround() {
    guard look == nil, abandoned == nil, restUntil <= Clock.now() else { return }
    // The worker that has waited longest comes first: otherwise some would never be looked at while others boot.
    while spent < Self.turn, let index = mostDue(at: Clock.now()) {
      if mayAsk { return ask(about: index) }
      let began = Clock.now()
      let sighting = Observer.look(at: awaited[index].pid, for: Set(awaited[index].missing.keys))
      looked(at: awaited[index].id, sighting, since: began)
    }
    if spent == .zero { return }
    restUntil = Clock.now() + spent * Self.rest
    spent = .zero
  }

  /// A copy of the master isn't an ancestor of its workers. Without CAP_SYS_PTRACE these run as the master's own user,
  /// and could stop it with a signal as well.
  private var mayAsk: Bool {
    observer != nil || !looksItself && !ObservationAccess(workerUser: nil, workerGroup: nil).wantsAncestor
  }

  private func mostDue(at now: Instant) -> Int? {
    awaited.indices.filter { awaited[$0].schedule.isLookDue(at: now) }
      .min { awaited[$0].schedule.deadline ?? now < awaited[$1].schedule.deadline ?? now }
  }

  private func looked(at id: WorkerID, _ sighting: Observer.Sighting, since began: Instant) {
    let now = Clock.now()
    spent += now - began
    guard let index = awaited.firstIndex(where: { $0.id == id }) else { return }
    awaited[index].missing = awaited[index].missing.filter { !sighting.accepted.contains($0.key) }
    // A former refusal isn't why it is late now.
    if sighting.refusal == nil { awaited[index].refusal = nil }
    if let refusal = sighting.refusal.map(errorText) {
      refused(
        index, "the kernel doesn't let the master look at it (\(refusal))",
        "cannot check whether worker \(awaited[index].pid) accepts: \(refusal) (the kernel reveals nothing about a"
          + " program that may not be read or that changes its user)")
    }
    awaited[index].schedule.looked(everywhere: awaited[index].missing.isEmpty, at: now)
  }

  /// Why a worker can't be looked at, and how to say so, once.
  private func refused(_ index: Int, _ refusal: String, _ warning: String) {
    if !awaited[index].hasWarned { log.warning(warning) }
    awaited[index].hasWarned = true
    awaited[index].refusal = refusal
  }

  private func arm() {
    // A worker that is due waits until a look is possible.
    let mayLook = look == nil && abandoned == nil
    let deadlines = awaited.filter { mayLook || !$0.schedule.isLooking }.compactMap(\.schedule.deadline)
    timer?.set(earliest(deadlines.min().map { max($0, restUntil) }, look?.next)?.microseconds)
  }
}

// MARK: Looks of another process

extension AcceptanceWatch {
  private func ask(about index: Int) {
    let worker = awaited[index]
    let now = Clock.now()
    do {
      let observer = try runningObserver()
      guard observer.ask(worker.pid, Set(worker.missing.keys)) else { throw MasterError(cannot: "ask the observer") }
      look = Look(id: worker.id, began: now, patience: Self.patience, next: now + Self.step)
    } catch {
      interrupt()
      refused(
        index, "the master can't look at it (\(error))", "cannot check whether worker \(worker.pid) accepts: \(error)")
      awaited[index].schedule.looked(everywhere: false, at: now)
    }
  }

  private func runningObserver() throws -> ObserverProcess {
    if let observer { return observer }
    guard let loop else { preconditionFailure("nothing is watched yet") }
    let new = try ObserverProcess()
    try new.watch(in: loop) { [unowned self] in answered($0) }
    observer = new
    return new
  }

  /// It has looked, or is gone: it was killed, for example by the kernel for its memory.
  private func answered(_ sighting: Observer.Sighting?) {
    if sighting == nil { observer = nil }
    if let ended = look {
      look = nil
      looked(at: ended.id, sighting ?? Observer.Sighting(), since: ended.began)
    }
    goOn()
  }

  /// Gives up a look that takes too long.
  private func giveUpLook() {
    let now = Clock.now()
    guard var current = look, current.next <= now else { return }
    current.patience -= 1
    current.next = now + Self.step
    look = current
    if current.patience > 0 { return }
    look = nil
    abandonObserver()
    guard let index = awaited.firstIndex(where: { $0.id == current.id }) else { return }
    awaited[index].schedule.lookHung(at: now)
    refused(
      index, "checking it takes longer than \(Self.patienceText): the process that checks has to wait for it",
      "checking whether worker \(awaited[index].pid) accepts takes longer than \(Self.patienceText): memory of another"
        + " process, or a file system that hangs, blocks the process that checks; the next check is in 10 s")
  }

  private func abandonObserver() {
    guard let observer, let loop else { return }
    observer.kill()
    self.observer = nil
    abandoned = observer
    do {
      try observer.watch(in: loop) { [unowned self] in
        guard $0 == nil else { return }
        abandoned = nil
        goOn()
      }
    } catch {
      // If it can't be watched, it counts as ended.
      abandoned = nil
    }
  }
}
