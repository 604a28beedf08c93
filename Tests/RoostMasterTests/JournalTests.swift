import Testing

@testable import RoostSystemd

@Suite("Entries of the journal")
struct JournalTests {
  @Test("A field is an assignment")
  func field() {
    #expect(Journal.bytes(ofField: "MESSAGE", "all is well") == Array("MESSAGE=all is well\n".utf8))
  }

  @Test("A value of several lines follows its length")
  func lines() {
    #expect(Journal.bytes(ofField: "M", "a\nb") == Array("M\n".utf8) + [3, 0, 0, 0, 0, 0, 0, 0] + Array("a\nb\n".utf8))
  }

  @Test("A long value is cut between characters")
  func long() {
    let bytes = Journal.bytes(ofField: "M", "x" + String(repeating: "ä", count: 10_000))
    #expect(bytes.count == 2 + 16383 + 1)
    #expect(String(validating: bytes, as: UTF8.self) != nil)
  }
}
