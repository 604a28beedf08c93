import Foundation
import RoostConfiguration
import RoostControl
import RoostCore
import RoostJSON
import Testing

@testable import RoostMaster

/// Where one of these fails, what is saved has another form: raise StateFormat.current, and make new fixtures as
/// Tests/System/test_saved_state.py says.
@Suite("The form of what is handed over to the next binary")
struct SavedStateTests {
  static let scenes = ["reloading", "serving", "starting", "stopping"]

  static func fixture(_ scene: String) throws -> JSON {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let file = folder.appendingPathComponent("Fixtures/state-\(StateFormat.current)-\(scene).json")
    return try JSON(parsing: Array(try Data(contentsOf: file)))
  }

  @Test("A state that was saved in this format is written again as it was", arguments: scenes)
  func form(_ scene: String) throws {
    let state = try Self.fixture(scene)
    #expect(state["format"] == .integer(StateFormat.current))
    let handover = try state.decode(Handover.self)
    try #require(handover.running).check()
    #expect(Self.differences(handover.json, state) == [])
    // What is recorded of a generation is taken as it is until it comes back.
    for recorded in Self.recorded(in: state["running"]?["history"] ?? .null) {
      #expect(Self.differences(try Configuration(json: recorded).json, recorded) == [])
    }
  }

  @Test("The fixtures have all that may be there")
  func complete() throws {
    var there: Set<String> = []
    var missing: Set<String> = []
    for scene in Self.scenes { Self.collect(try Self.fixture(scene), "", &there, &missing) }
    // A control group needs one that is delegated; what is wrong with what was written is told to a start alone.
    #expect(missing.subtracting(there) == ["cgroup", "trouble"])
  }

  private static let at: JSON = ["sinceOrigin": [1, 0]]
  private static let generation: JSON = ["number": 1]

  private static let forms: [(any (Codable & Sendable).Type, [JSON])] = [
    (Phase.self, ["idle", "serving", "stopped"].map(bare)),
    (
      Start.Stage.self,
      [["awaitingListeners": ["until": at]], ["preparing": ["_0": generation, "until": at]], bare("startingWorkers")]
    ),
    (Reload.Stage.self, [["preparing": ["until": at]], bare("awaitingHook"), ["replacing": ["_0": [0, 2]]]]),
    (
      Worker.Stage.self,
      [
        ["starting": ["until": at]], ["aging": ["until": at]], ["probing": ["until": at]],
        ["settling": ["since": at, "until": at]], ["ready": ["since": at]],
      ]
    ),
    (
      Retiree.Stage.self,
      [["emptying": ["until": at]], ["draining": ["until": at]], ["remains": ["until": at]], bare("killed")]
    ),
    (Slot.Occupant.self, [bare("added"), bare("vacant"), ["waiting": ["until": at, "_1": "lost"]]]),
    (Divergence.self, [["reloadFailed": ["_0": generation]], bare("fellBack"), bare("rolledBack")]),
    (Upgrade.self, [["proving": ["until": at]], bare("replacing")]),
    (Origin.self, [bare("configuration"), ["record": ["_0": generation]]]),
    (Verdict.self, [bare("stopped"), bare("startFailed")]),
    (
      ControlClient.Task.self,
      [
        bare("none"), ["reload": ["_0": generation, "drained": true]], ["reload": ["_0": .null, "drained": false]],
        bare("stop"), bare("subscription"), bare("upgrade"),
      ]
    ),
    (
      UpstreamMessage.Subject.self,
      ["watchdog", "reloading", "state", "moreTime", "status"].map(bare) + [
        ["keep": ["_0": "http"]], ["drop": ["_0": "http"]],
      ]
    ),
    (Purpose.self, ["start", "reload", "lost", "recycled", "scaled", "asked"]),
    (Hook.self, ["before-reload", "after-takeover"]),
    (WorkerProcess.State.self, ["running", "reaped", "remains"]),
    (HistoryReport.Verdict.self, ["starting", "served", "failed"]),
  ]

  private static func bare(_ name: String) -> JSON { .object([JSON.Member(name, [:])]) }

  @Test("Each case is written as it was, also of those that aren't in a fixture")
  func cases() {
    for (type, forms) in Self.forms {
      for form in forms { #expect((try? Self.again(form, type)) == form, "\(type)") }
    }
  }

  private static func again<T: Codable>(_ form: JSON, _ type: T.Type) throws -> JSON {
    try JSON(encoding: form.decode(type))
  }

  // MARK: Comparing

  /// The places at which something is missing or another, but for the order of arrays: that of a dictionary is random. What
  /// is more than was wanted can be missing: otherwise the fixture couldn't have been read.
  private static func differences(_ found: JSON, _ wanted: JSON, at place: String = "") -> [String] {
    switch (found, wanted) {
    case (.object, .object(let members)):
      return members.flatMap { member in
        found[member.name].map { differences($0, member.value, at: "\(place).\(member.name)") }
          ?? ["\(place).\(member.name)"]
      }
    case (.array(var rest), .array(let elements)) where rest.count == elements.count:
      let unmatched = elements.filter { element in
        guard let index = rest.firstIndex(where: { differences($0, element) == [] }) else { return true }
        rest.remove(at: index)
        return false
      }
      return zip(rest, unmatched).flatMap { differences($0, $1, at: place + "[]") }
    default: return found == wanted ? [] : [place]
    }
  }

  private static func recorded(in history: JSON) -> [JSON] {
    guard case .array(let entries) = history["entries"] else { return [] }
    return (entries.map { $0["configuration"] ?? .null } + [history["refused"] ?? .null]).filter { $0 != .null }
  }

  private static func collect(_ json: JSON, _ name: String, _ there: inout Set<String>, _ missing: inout Set<String>) {
    switch json {
    case .null: missing.insert(name)
    case .boolean, .integer, .string: there.insert(name)
    case .array(let elements): for element in elements { collect(element, name, &there, &missing) }
    case .object(let members):
      there.insert(name)
      for member in members { collect(member.value, member.name, &there, &missing) }
    }
  }
}
