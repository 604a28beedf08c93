/// Decides. Takes a fact and the time, and returns orders; does nothing itself.
///
/// A value without I/O, clock or chance: the same facts at the same times give the same orders, so every interleaving
/// can be explored and every failure replayed. See docs/state-machine.md.
package struct Supervisor: Hashable, Sendable, Codable {
  /// How long systemd is asked to wait at a time, while something takes long.
  package static let extensionLength: Duration = .seconds(30)
  /// When it is asked again: long before the time runs out, so that a busy machine can't let it lapse.
  static let extensionRenewedAfter: Duration = .seconds(15)

  /// How often workers may ask for a reload: one that fails at once mustn't be tried endlessly.
  static let workerReloadPause: Duration = .seconds(1)

  /// How often a candidate may be stopped and continued while it is observed.
  static let mostStops = 5

  /// How long reading the configuration again may take: a file system that hangs mustn't hang the reload.
  static let preparationTimeout: Duration = .seconds(60)

  package internal(set) var phase = Phase.idle
  package internal(set) var slots: [Slot] = []
  /// The workers that have been told to go, in the order in which they were told.
  package internal(set) var retirees: [Retiree] = []
  /// The newest generation that has taken over in any slot. A worker that replaces a lost one belongs to it.
  package internal(set) var serving = Generation(number: 1)
  package internal(set) var hooks: [RunningHook] = []

  package internal(set) var servingOrigin = Origin.configuration
  /// The last generation that has proved itself.
  package internal(set) var lastGood: Generation?
  /// Why what serves isn't what the configuration names; nil if it is.
  package internal(set) var divergence: Divergence?
  package internal(set) var probation: Probation?

  /// What the start can fall back to, until a generation serves: it runs something else.
  package internal(set) var fallback: Generation?
  package internal(set) var upgrade: Upgrade?
  /// What the operator wants, for the generation that serves and for one that is on its way.
  var generations: [Generation: Settings]
  /// How many slots are wanted, apart from what a running reload brings.
  var workers: Int
  /// How many the last generation that has served in all slots asked for.
  var configuredWorkers: Int
  /// Whether generations with different listeners live: connections may wait where only workers of one can accept them.
  var leavesQueues = false
  var newest = Generation(number: 1)
  var workersStarted = 0
  var extensionRenewal: Instant?
  /// When a worker's request for a reload was last granted.
  var workerAsked: Instant?
  var decision = Decision()
  /// How many slots the start begins with. Those that aren't wanted go once it is complete.
  var slotsAtStart = 1

  /// All but `decision`, which is empty whenever nothing is being handled.
  private enum CodingKeys: String, CodingKey {
    case phase, slots, retirees, serving, hooks, newest, workersStarted, extensionRenewal, workerAsked, servingOrigin,
      lastGood, divergence, probation, fallback, slotsAtStart, upgrade, generations, workers, configuredWorkers,
      leavesQueues
  }

  /// What is known of former masters of the service.
  package struct Past: Hashable, Sendable {
    /// The first generation: its number follows all former ones.
    package var first = Generation(number: 1)
    package var origin = Origin.configuration
    package var divergence: Divergence?
    package var lastGood: Generation?
    /// What the start can fall back to: the last good generation or the one that served last, if it ran something other
    /// than the first one does.
    package var fallback: Generation?
    /// How many slots have queues already.
    package var slots = 1

    package init() {}
  }

  package init(settings: Settings, past: Past = Past()) {
    precondition((1...Settings.maximumWorkers).contains(settings.workers), "the number of workers wasn't validated")
    precondition(settings.surge >= 1 && settings.startAttempts ?? 1 >= 1, "the settings weren't validated")
    generations = [past.first: settings]
    serving = past.first
    newest = past.first
    servingOrigin = past.origin
    divergence = past.divergence
    lastGood = past.lastGood
    fallback = past.fallback
    workers = settings.workers
    configuredWorkers = settings.workers
    slotsAtStart = min(max(settings.workers, past.slots), Settings.maximumWorkers)
  }

  package var settings: Settings { settings(of: serving) }

  func settings(of generation: Generation) -> Settings {
    guard let settings = generations[generation] else { preconditionFailure("a generation that is over") }
    return settings
  }

  /// Whether each generation that serves or is to has settings, as in a state that isn't damaged.
  package var hasSettings: Bool {
    let generations = [serving, reload?.generation].compactMap(\.self) + slots.compactMap(\.candidate?.id.generation)
    return generations.allSatisfy { self.generations[$0] != nil }
  }

  package mutating func handle(_ event: Event, at now: Instant) -> Decision {
    switch event {
    case .startRequested: startRequested(at: now)
    case .listenersNotOpened(let reason): listenersNotOpened(reason, at: now)
    case .reloadRequested(let requester, let origin, let replacing):
      reloadRequested(by: requester, from: origin, replacing: replacing, at: now)
    case .cancelRequested(let requester): cancelRequested(by: requester, at: now)
    case .stopRequested(let requester): stopRequested(by: requester, at: now)
    case .stopAtOnceRequested(let requester): stopAtOnceRequested(by: requester, at: now)
    case .scaleRequested(let change): scaleRequested(by: change, at: now)
    case .workersRequested(let wanted): workersRequested(wanted, at: now)
    case .queuesEmpty(let first): queuesEmpty(from: first, at: now)
    case .queueEmpty(let id): queueEmpty(of: id, at: now)
    case .replacementRequested(let slot, let requester): replacementRequested(of: slot, by: requester, at: now)
    case .generationPrepared(let generation, let settings, let leavesQueues):
      generationPrepared(generation, settings, leavesQueues: leavesQueues, at: now)
    case .generationNotPrepared(let generation, let reason): generationNotPrepared(generation, reason, at: now)
    case .hookEnded(let hook, let generation, let failure): hookEnded(hook, generation, failure, at: now)
    case .workerStarted(let id): report(.workerStarted(id))
    case .workerNotStarted(let id, let reason): workerNotStarted(id, reason, at: now)
    case .workerReady(let id): workerReady(id, at: now)
    case .probeSucceeded(let id): probeSucceeded(id, at: now)
    case .workerAskedForTime(let id, let duration): workerAskedForTime(id, duration, at: now)
    case .workerExited(let id, let cause, let remains): workerExited(id, cause, remains: remains, at: now)
    case .workerStopped(let id): workerStopped(id, at: now)
    case .workerContinued(let id): workerContinued(id, at: now)
    case .workerRemainsGone(let id): workerRemainsGone(id)
    case .timePassed: timePassed(at: now)
    case .upgradeRequested(let requester): upgradeRequested(by: requester, at: now)
    case .upgradeProved: upgradeProved()
    case .upgradeFailed(let reason): upgradeFailed(.refused(reason: reason))
    case .upgraded(let version): upgraded(from: version)
    case .stalled(let missed): stalled(for: missed, at: now)
    }
    defer { decision = Decision() }
    return decision
  }

  /// When `Event.timePassed` is due, if nothing happens before.
  package var nextDeadline: Instant? {
    switch phase {
    case .serving, .reloading: earliest(nextPressingDeadline, probation?.until)
    case .idle, .starting, .stopping, .stopped: nextPressingDeadline
    }
  }

  /// The same without the end of a probation, at which no worker is given up: if nothing else is awaited, the clock
  /// needn't be watched.
  package var nextPressingDeadline: Instant? {
    var deadline = extensionRenewal
    switch phase {
    case .starting(let start): deadline = earliest(deadline, start.deadline)
    case .reloading(let reload): deadline = earliest(deadline, reload.deadline)
    case .idle, .serving, .stopping, .stopped: break
    }
    for slot in slots { deadline = earliest(deadline, slot.deadline) }
    for retiree in retirees { deadline = earliest(deadline, retiree.deadline) }
    for hook in hooks { deadline = earliest(deadline, hook.deadline) }
    if case .proving(let until) = upgrade { deadline = earliest(deadline, until) }
    return deadline
  }

  mutating func order(_ effect: Effect) {
    decision.effects.append(effect)
  }

  mutating func report(_ notice: Notice) {
    decision.notices.append(notice)
  }
}

extension Supervisor {
  /// Tells systemd to wait, and keeps doing so until `standStill`.
  mutating func askForTime(at now: Instant) {
    extensionRenewal = now + Self.extensionRenewedAfter
    order(.announce(.extendTimeout(Self.extensionLength)))
  }

  /// Nothing that systemd has to wait for is pending.
  mutating func standStill() {
    extensionRenewal = nil
  }
}
