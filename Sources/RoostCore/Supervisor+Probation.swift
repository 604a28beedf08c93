/// A generation that has taken over has yet to show that it is good: ready is not the same as well.
package struct Probation: Hashable, Sendable, Codable {
  /// A generation keeps failing if this many workers in a row fail in one slot.
  static let mostFailures = 3
  /// If its end comes later than this, nothing ran meanwhile: nobody was served, and it begins again. The clock isn't
  /// watched during a probation (`nextPressingDeadline`), and may not have stood still.
  static let latest: Duration = .milliseconds(1500)

  package let generation: Generation
  /// When it began to serve.
  let began: Instant
  /// When it has served for long enough.
  package internal(set) var until: Instant
  /// Whether its workers keep failing.
  package internal(set) var isCrashLoop = false
}

extension Supervisor {
  /// The generation serves in all slots from now on.
  mutating func beginProbation(at now: Instant) {
    probation = Probation(generation: serving, began: now, until: now + settings.probation)
    if settings.probation == .zero { prove(at: now) }
  }

  /// The probation is over: the generation is good if no worker is missing.
  mutating func prove(at now: Instant) {
    guard var ending = probation, ending.until <= now else { return }
    let isServed = slots.allSatisfy { $0.worker.map { $0.serves && $0.id.generation == ending.generation } ?? false }
    guard isServed, !isStarting, now - ending.until < Probation.latest else {
      ending.until = now + max(settings.probation, .seconds(1))
      probation = ending
      return
    }
    probation = nil
    lastGood = ending.generation
    order(.record(ending.generation))
    report(.proved(ending.generation, after: now - ending.began))
  }

  /// A worker of a generation that serves has failed.
  mutating func probationDisturbed(by worker: Worker, at now: Instant) {
    guard var disturbed = probation, disturbed.generation == worker.id.generation else { return }
    disturbed.until = now + settings.probation
    let isCrashLoop = slots[worker.id.slot].failures >= Probation.mostFailures && !disturbed.isCrashLoop
    if isCrashLoop { disturbed.isCrashLoop = true }
    probation = disturbed
    guard isCrashLoop else { return }
    let target = rollbackTarget
    report(.crashLoop(disturbed.generation, rollsBackTo: target))
    guard let target else { return }
    reloadRequested(by: .crashLoop(disturbed.generation), from: .record(target), at: now)
  }

  /// What replaces a generation that keeps failing. One that came from the record isn't replaced: it would go round in
  /// circles.
  private var rollbackTarget: Generation? {
    guard settings.rollsBack, case .serving = phase, case .configuration = servingOrigin else { return nil }
    return lastGood
  }
}
