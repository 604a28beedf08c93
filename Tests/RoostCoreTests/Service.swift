@testable import RoostCore

/// A supervisor with a clock that stands still unless it is told to go on.
struct Service {
  var supervisor: Supervisor
  var now = Instant(sinceOrigin: .seconds(1000))

  /// A service to which nothing has happened yet.
  init(
    workers: Int = 1, surge: Int = .max, readiness: Settings.Readiness = .reported(timeout: .seconds(60)),
    probeTimeout: Duration? = nil, startAttempts: Int? = 3, settle: Duration = .zero,
    drainTimeout: Duration = .seconds(60), probation: Duration = .seconds(1_000_000), rollsBack: Bool = false,
    lastGood: Generation? = nil
  ) {
    var past = Supervisor.Past()
    past.lastGood = lastGood
    past.fallback = lastGood
    if let lastGood { past.first = Generation(number: lastGood.number + 1) }
    supervisor = Supervisor(
      settings: Settings(
        workers: workers, surge: surge, readiness: readiness, probeTimeout: probeTimeout, startAttempts: startAttempts,
        probation: probation, rollsBack: rollsBack, settle: settle, drainTimeout: drainTimeout), past: past)
  }

  /// What is done about a fact.
  mutating func after(_ event: Event) -> Decision {
    supervisor.handle(event, at: now)
  }

  /// What is done when so much time has passed without anything else.
  mutating func after(_ duration: Duration) -> Decision {
    now = now + duration
    return supervisor.handle(.timePassed, at: now)
  }

  /// Lets facts happen whose consequences another test looks at.
  mutating func suppose(_ events: Event...) {
    for event in events { _ = supervisor.handle(event, at: now) }
  }

  /// A service whose first generation is complete.
  static func serving(
    workers: Int = 1, surge: Int = .max, settle: Duration = .zero, drainTimeout: Duration = .seconds(60)
  ) -> Service {
    var service = Service(workers: workers, surge: surge, settle: settle, drainTimeout: drainTimeout)
    service.suppose(.startRequested)
    for slot in 0..<workers { service.suppose(.workerReady(.first(slot))) }
    return service
  }

  /// A service that serves with the first generation and has prepared the second.
  static func reloading(
    workers: Int = 1, surge: Int = .max, settle: Duration = .zero, drainTimeout: Duration = .seconds(60)
  ) -> Service {
    var service = serving(workers: workers, surge: surge, settle: settle, drainTimeout: drainTimeout)
    service.suppose(.hup, .generationPrepared(Generation(number: 2)))
    return service
  }
}

extension WorkerID {
  /// The first worker of a slot.
  static func first(_ slot: Int) -> WorkerID { id(slot + 1, slot: slot, 1) }

  /// A worker by number, slot and generation.
  static func id(_ number: Int, slot: Int = 0, _ generation: Int) -> WorkerID {
    WorkerID(number: number, slot: slot, generation: Generation(number: generation))
  }
}

extension Event {
  static let hup = Event.reloadRequested(by: .signal(1))
  static let term = Event.stopRequested(by: .signal(15))
  static let quit = Event.stopAtOnceRequested(by: .signal(3))

  /// A worker exits with a status and leaves nothing behind.
  static func exit(_ id: WorkerID, _ status: Int32 = 0) -> Event {
    .workerExited(id, .exited(status: status), remains: false)
  }
}

extension Decision: ExpressibleByArrayLiteral {
  /// What is done without a word.
  public init(arrayLiteral effects: Effect...) {
    self.init(effects: effects)
  }
}

let askForTime = Effect.announce(.extendTimeout(.seconds(30)))
