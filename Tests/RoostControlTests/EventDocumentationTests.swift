import Foundation
import RoostControl
import Testing

@Suite("The events in docs/control.md")
struct EventDocumentationTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The names and ids in the table of events.
  private static func documented() throws -> [String] {
    let text = try String(contentsOf: root.appendingPathComponent("docs/control.md"), encoding: .utf8)
    let section = try #require(text.components(separatedBy: "\n## ").first { $0.hasPrefix("Events\n") })
    return section.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { row in
      let quoted = row.matches(of: /`([^`]+)`/).map(\.1)
      return "\(quoted[0]) \(quoted[quoted.count - 1])"
    }
  }

  @Test("Every kind is there with its id, once, and no other")
  func kinds() throws {
    #expect(try Self.documented().sorted() == EventKind.allCases.map(\.rawValue).sorted())
  }

  @Test("The master tells every kind")
  func told() throws {
    let folder = Self.root.appendingPathComponent("Sources/RoostMaster")
    let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)).allObjects
    let swift = files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
    let text = try swift.map { try String(contentsOf: $0, encoding: .utf8) }.joined()
    let calls = text.matches(of: /(?:told|event|ServiceEvent)\(\s*\.(\w+)/).map { String($0.1) }
    #expect(Set(EventKind.allCases.map { "\($0)" }).subtracting(calls) == [])
  }
}
