import Foundation
import RoostCore
import Testing

@Suite("docs/state-machine.md")
struct StateTableTests {
  @Test(
    "The tables of events and of purposes are what the code does; ROOST_WRITE_DOCS=1 writes them anew", .serialized,
    arguments: [("table", StateTable.markdown), ("purposes", StateTable.purposes)])
  func table(_ name: String, _ markdown: String) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/state-machine.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    let begin = try #require(text.range(of: "<!-- \(name) -->\n"))
    let end = try #require(text.range(of: "<!-- end of \(name) -->"))
    if ProcessInfo.processInfo.environment["ROOST_WRITE_DOCS"] == "1" {
      let changed = text[..<begin.upperBound] + markdown + text[end.lowerBound...]
      try String(changed).write(to: file, atomically: true, encoding: .utf8)
    } else {
      #expect(String(text[begin.upperBound..<end.lowerBound]) == markdown)
    }
  }
}
