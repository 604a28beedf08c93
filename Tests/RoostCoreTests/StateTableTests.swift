import Foundation
import RoostCore
import Testing

@Suite("docs/state-machine.md")
struct StateTableTests {
  @Test("The table of events and phases is what the code does; ROOST_WRITE_DOCS=1 writes it anew")
  func table() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/state-machine.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    let begin = try #require(text.range(of: "<!-- table -->\n"))
    let end = try #require(text.range(of: "<!-- end of table -->"))
    if ProcessInfo.processInfo.environment["ROOST_WRITE_DOCS"] == "1" {
      let changed = text[..<begin.upperBound] + StateTable.markdown + text[end.lowerBound...]
      try String(changed).write(to: file, atomically: true, encoding: .utf8)
    } else {
      #expect(String(text[begin.upperBound..<end.lowerBound]) == StateTable.markdown)
    }
  }
}
