import Foundation
import RoostConfiguration
import RoostControl
import RoostCore
import RoostJSON
import Testing

@testable import RoostMaster

@Suite("The format of the state")
struct StateFormatTests {
  @Test("A newer format is refused, with what can be read")
  func newer() {
    #expect {
      _ = try StateFormat.migrated(["format": .integer(StateFormat.current + 1)])
    } throws: { error in
      "\(error)".hasSuffix("reads formats 1 to \(StateFormat.current)")
    }
  }

  @Test("Every older format can be read")
  func older() throws {
    for format in 1...StateFormat.current {
      _ = try StateFormat.migrated(["format": .integer(format), "running": .null])
    }
  }

  /// The state of a master of format 2 with two workers, two retirees and a client that waits.
  private static func formerState(_ format: Int = 2) throws -> [UInt8] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return Array(try Data(contentsOf: folder.appendingPathComponent("Fixtures/state-\(format).json")))
  }

  @Test(
    "What a master of format 4 has saved can be gone on with: it has recorded nothing, and its generation needn't prove itself"
  )
  func format4() throws {
    let state = try StateFormat.migrated(JSON(parsing: try Self.formerState(4)))
    let saved = try #require(state["running"]).decode(SavedState.self)
    try saved.check()
    let supervisor = saved.supervisor
    #expect(supervisor.phase == .serving && supervisor.condition == .whole && supervisor.divergence == nil)
    #expect(supervisor.servingOrigin == .configuration && supervisor.lastGood == nil && supervisor.probation == nil)
    #expect(supervisor.settings.startAttempts == 3 && supervisor.settings.probation == .seconds(60))
    #expect(saved.history == nil)
    #expect(try Configuration(json: #require(state["configuration"])).history == nil)
  }

  @Test("A start and a reload of format 4 go on, and so does what was to come after them", arguments: [false, true])
  func format4Phases(latched: Bool) throws {
    let now = try JSON(encoding: Instant(sinceOrigin: .seconds(400)))
    let start: JSON = ["starting": ["_0": ["began": now, "latched": .boolean(latched)]]]
    let supervisor = try Self.supervisor(in: start)
    guard case .starting(let starting) = supervisor.phase else { return #expect(Bool(false), "\(supervisor.phase)") }
    #expect(starting.latched == (latched ? .configuration : nil) && starting.stage == .startingWorkers)
    let settings = try #require(JSON(parsing: try Self.formerState(4))["running"]?["supervisor"]?["settings"])
    let reload: JSON = [
      "generation": ["number": 3], "began": now, "stage": ["awaitingHook": [:]], "settings": settings, "moved": 0,
      "latched": .boolean(latched),
    ]
    let other = try Self.supervisor(in: ["reloading": ["_0": reload]])
    guard case .reloading(let reloading) = other.phase else { return #expect(Bool(false), "\(other.phase)") }
    #expect(reloading.latched == (latched ? .configuration : nil) && reloading.origin == .configuration)
    #expect(reloading.start == nil && reloading.workers == other.settings.workers)
  }

  @Test("What a master of format 5 has saved can be gone on with: a candidate is observed for as long as it was to be")
  func format5() throws {
    let state = try StateFormat.migrated(JSON(parsing: try Self.formerState(5)))
    let saved = try #require(state["running"]).decode(SavedState.self)
    try saved.check()
    _ = try Configuration(json: #require(state["configuration"]))
    var supervisor = saved.supervisor
    guard case .reloading(let reload) = supervisor.phase, let candidate = supervisor.slots[0].candidate,
      case .settling(_, let until) = candidate.stage, case .replacing(0..<1) = reload.stage
    else { return #expect(Bool(false), "\(supervisor)") }
    #expect(supervisor.settings.settle == .seconds(30) && supervisor.settings.restartBurst == 5)
    #expect(supervisor.slots.map(\.worker?.purpose) == [.lost, .lost] && candidate.purpose == .reload)
    // The first slot moves, and the candidate of the second is started.
    #expect(supervisor.handle(.timePassed, at: until - .seconds(1)).effects.filter(Self.isOfWorker) == [])
    let effects = supervisor.handle(.timePassed, at: until).effects.filter(Self.isOfWorker)
    let next = WorkerID(number: 4, slot: 1, generation: Generation(number: 2))
    #expect(effects == [.awaitEmptyQueue(saved.workers[0].id), .spawn(next)])
  }

  @Test("The last verdict of a master of format 5 keeps what was seen of the queues")
  func format5Verdict() throws {
    let former: JSON = [
      "generation": 2, "succeeded": false, "message": "it exited", "lastWords": ["no database"], "ended": 1,
      "evidence": ["dropped": 3, "peak": ["queued": 17, "limit": 128, "listener": "http"]],
    ]
    let state = try StateFormat.migrated(["format": 5, "running": ["lastReload": former]])
    let verdict = try #require(state["running"]?["lastReload"]).decode(ReloadVerdict.self)
    #expect((verdict.dropped, verdict.peakQueue, verdict.queueLimit) == (3, 17, 128))
    #expect(verdict.queueListener == "http" && verdict.lastWords == ["no database"] && verdict.ended == 1)
  }

  @Test("A worker whose stop signal a master of format 5 held back is told as soon as that would have done it")
  func format5HeldDrain() throws {
    let id: JSON = ["number": 1, "slot": 0, "generation": ["number": 1]]
    let (soon, late): (JSON, JSON) = (["sinceOrigin": [1, 0]], ["sinceOrigin": [2, 0]])
    let retiree: JSON = ["id": id, "stage": ["draining": ["until": late]]]
    let state = try StateFormat.migrated([
      "format": 5,
      "running": [
        "heldDrains": [["worker": id, "from": soon, "until": soon]], "supervisor": ["retirees": [retiree]],
      ],
    ])
    guard case .array(let retirees) = state["running"]?["supervisor"]?["retirees"] else { return #expect(Bool(false)) }
    #expect(retirees.first?["stage"] == ["emptying": ["until": soon]])
  }

  private static func isOfWorker(_ effect: Effect) -> Bool {
    if case .announce = effect { false } else { true }
  }

  /// The supervisor of format 4 in another phase.
  private static func supervisor(in phase: JSON) throws -> Supervisor {
    let text = String(decoding: try formerState(4), as: UTF8.self)
    let serving = "\"phase\": {\n        \"serving\": {}\n      }"
    #expect(text.contains(serving))
    let changed = text.replacingOccurrences(of: serving, with: "\"phase\": \(phase.text)")
    let state = try StateFormat.migrated(JSON(parsing: Array(changed.utf8)))
    return try #require(state["running"]?["supervisor"]).decode(Supervisor.self)
  }

  @Test("What a master of format 2 has saved can be gone on with")
  func format2() throws {
    let state = try StateFormat.migrated(JSON(parsing: try Self.formerState()))
    let saved = try #require(state["running"]).decode(SavedState.self)
    try saved.check()
    #expect(saved.supervisor.retirees.map(\.id.number) == [1, 2])
    #expect(saved.releases.map(\.listeners.count) == [1, 1])
    #expect(SavedDescriptor.all(in: state).count == 4 * 4 + 4)
    _ = try Configuration(json: #require(state["configuration"]))
  }

  @Test("Whatever is missing from a state or wrong in it is refused, with its place")
  func damaged() throws {
    let text = String(decoding: try Self.formerState(), as: UTF8.self)
    for (part, other) in [
      ("\"supervisor\"", "\"x\""), ("\"pid\": 25175", "\"pid\": \"x\""), ("\"releases\"", "\"former\""),
      ("\"serving\": {\n    \"number\": 2", "\"serving\": {\n    \"number\": 3"),
    ] {
      #expect(text.contains(part))
      let state = try StateFormat.migrated(JSON(parsing: Array(text.replacingOccurrences(of: part, with: other).utf8)))
      #expect(throws: (any Error).self, "\(part)") {
        let saved = try #require(state["running"]).decode(SavedState.self)
        try saved.check()
      }
    }
  }

  @Test("Bytes survive, whatever they are")
  func bytes() throws {
    let all = SavedBytes(Array(0...255))
    let text = try JSON(encoding: all).text
    #expect(try JSON(parsing: Array(text.utf8)).decode(SavedBytes.self).bytes == all.bytes)
  }
}
