import Glibc
import RoostJSON
import Testing

@testable import RoostCore

/// All sequences of events up to a depth, and long ones by chance, against the rules of `World`.
@Suite("All interleavings")
struct EnumerationTests {
  /// Where nothing else is asked for, who serves has proved itself at once: a probation is one more thing that passes.
  static let variants: [Settings] = [
    Settings(workers: 1, probation: .zero, settle: .seconds(1)),
    Settings(workers: 1, readiness: .alive(after: .seconds(1)), startAttempts: 1, probation: .zero, settle: .zero),
    Settings(workers: 2, surge: 1, probation: .zero, settle: .zero),
    Settings(workers: 1, probeTimeout: .seconds(5), startAttempts: 2, probation: .zero, settle: .zero),
    Settings(workers: 2, surge: 1, probeTimeout: .seconds(5), probation: .zero, settle: .seconds(1)),
    Settings(workers: 2, probation: .zero, settle: .seconds(1)),
    Settings(workers: 2, probation: .zero, settle: .zero, queuePerSlot: true),
    Settings(workers: 1, startLimit: .seconds(3), rollsBack: true, settle: .zero),
    Settings(workers: 2, surge: 1, startAttempts: 2, probation: .zero, rollsBack: true, settle: .zero),
  ]

  /// More slots than a roll's batch, the one before and the one after it can be: too many to explore all that may happen.
  static let longVariants =
    variants + [
      Settings(workers: 3, surge: 1, probation: .zero, settle: .zero),
      Settings(workers: 4, surge: 2, probation: .zero, settle: .seconds(1)),
    ]

  /// Several beginnings, so that the depth isn't used up by getting there.
  enum Beginning {
    case start
    case serving
    case reloading
    case fallingBack
    case waitingForListeners

    /// Whether a former master has left something to fall back to.
    var isOfFormerMaster: Bool {
      switch self {
      case .fallingBack, .waitingForListeners: true
      case .start, .serving, .reloading: false
      }
    }
  }

  /// Where a service begins of which something is recorded, only a few variants differ.
  static let cases: [Case] =
    variants.flatMap { settings in [.start, .serving, .reloading].map { Case(settings: settings, beginning: $0) } }
    + (variants.prefix(1) + variants.suffix(2)).flatMap { settings in
      [.fallingBack, .waitingForListeners].map { Case(settings: settings, beginning: $0) }
    }

  struct Case {
    let settings: Settings
    let beginning: Beginning

    /// Whether all that operators may do is explored: where something can be rolled back to.
    var isSteered: Bool { settings.rollsBack }

    /// How many events one after the other.
    var depth: Int {
      // A probe, a probation, and something to roll back to, are other things that may happen at each step.
      (settings.workers == 1 ? 7 : 6) - (settings.probeTimeout == nil ? 0 : 1) - (settings.rollsBack ? 1 : 0)
        - (settings.probation == .zero ? 0 : 1) - (beginning.isOfFormerMaster ? 1 : 0)
    }
  }

  @Test("No sequence of events breaks a rule", arguments: cases)
  func everySequence(_ one: Case) {
    // Different sequences lead to the same world: each is gone on with once.
    var frontier: [World: [Event]] = [Self.world(one): []]
    var explored = 0
    for _ in 0..<one.depth {
      var next: [World: [Event]] = [:]
      for (world, path) in frontier {
        for choice in world.choices {
          var changed = world
          changed.tell(choice)
          explored += 1
          guard check(changed, path + [choice]) else { return }
          next[changed] = path + [choice]
        }
      }
      frontier = next
    }
    for (world, path) in frontier { guard checkEnds(world, path) else { return } }
    #expect(explored > 1000, "the exploration has gone somewhere")
  }

  @Test("No long sequence of events breaks a rule", arguments: longVariants)
  func longSequences(_ settings: Settings) {
    let seed = Self.seed
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<300 {
      var world = World(settings, hasLastGood: Bool.random(using: &generator))
      var path: [Event] = []
      while path.count < 150, let choice = world.likelyChoice(using: &generator) {
        world.tell(choice)
        path.append(choice)
        guard check(world, path, "seed \(seed)") else { return }
      }
      guard checkEnds(world, path, "seed \(seed)") else { return }
    }
  }

  @Test("A supervisor that is saved and restored is the same, whatever it is doing", arguments: longVariants)
  func savedAndRestored(_ settings: Settings) throws {
    let seed = Self.seed
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<10 {
      var world = World(settings, hasLastGood: true)
      for _ in 0..<100 {
        guard let choice = world.likelyChoice(using: &generator) else { break }
        world.tell(choice)
        let saved = try JSON(encoding: world.supervisor).text
        let restored = try JSON(parsing: Array(saved.utf8)).decode(Supervisor.self)
        guard restored == world.supervisor else {
          Issue.record("\(restored) isn't \(world.supervisor); seed \(seed)")
          return
        }
      }
    }
  }

  /// By chance, or that of a failure that is looked into: ROOST_SEED.
  private static var seed: UInt64 {
    getenv("ROOST_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0...UInt64.max)
  }

  private func checkEnds(_ world: World, _ path: [Event], _ note: String = "") -> Bool {
    var calm = world
    calm.calmDown()
    var stopped = world
    stopped.stop()
    return check(calm, path, "calming down, " + note) && check(stopped, path, "stopping, " + note)
  }

  private func check(_ world: World, _ path: [Event], _ note: String = "") -> Bool {
    guard let violation = world.violation else { return true }
    Issue.record("\(violation); after \(path.map { "\($0)" }.joined(separator: ", ")); \(note)")
    return false
  }

  private static func world(_ one: Case) -> World {
    let (settings, beginning, isSteered) = (one.settings, one.beginning, one.isSteered)
    switch beginning {
    case .start: return World(settings, isSteered: isSteered)
    case .waitingForListeners:
      return World(settings, hasLastGood: true, areListenersOpen: false, isSteered: isSteered)
    case .fallingBack:
      // Its workers fail until the last good release is looked for.
      var world = World(settings, hasLastGood: true, isSteered: isSteered)
      while world.preparing == nil, !world.isOver {
        if let id = world.spawning.first {
          world.tell(.workerNotStarted(id, reason: "no"))
        } else {
          world.tell(.timePassed)
        }
      }
      return world
    case .serving, .reloading:
      var world = World(settings, isSteered: isSteered)
      world.calmDown()
      if beginning == .reloading { world.tell(.hup) }
      return world
    }
  }
}

extension World {
  /// A choice by chance, in which stops are rare: after them not much happens any more.
  func likelyChoice(using generator: inout SeededGenerator) -> Event? {
    let choice = choices.randomElement(using: &generator)
    switch choice {
    case .stopRequested, .stopAtOnceRequested:
      return Int.random(in: 0..<40, using: &generator) == 0 ? choice : choices.randomElement(using: &generator)
    default: return choice
    }
  }
}

/// SplitMix64: the same seed gives the same sequence, on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
