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

  @Test("Bytes survive, whatever they are")
  func bytes() throws {
    let all = SavedBytes(Array(0...255))
    let text = try JSON(encoding: all).text
    #expect(try JSON(parsing: Array(text.utf8)).decode(SavedBytes.self).bytes == all.bytes)
  }
}
