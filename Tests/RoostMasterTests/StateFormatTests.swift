import Foundation
import RoostConfiguration
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
  private static func formerState() throws -> [UInt8] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return Array(try Data(contentsOf: folder.appendingPathComponent("Fixtures/state-2.json")))
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
