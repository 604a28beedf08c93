import Foundation
import RoostControl
import Testing

@Suite("systemd/roost.catalog")
struct CatalogTests {
  private static func catalog() throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(contentsOf: root.appendingPathComponent("systemd/roost.catalog"), encoding: .utf8)
  }

  @Test("Every kind of event is explained", arguments: EventKind.allCases)
  func explained(_ kind: EventKind) throws {
    #expect(try Self.catalog().contains("\n-- \(kind.messageID)\nSubject: "))
  }

  @Test("Ids are 128 bits in hexadecimal, each its own, and the catalog explains nothing else")
  func ids() throws {
    let ids = EventKind.allCases.map(\.messageID)
    #expect(Set(ids).count == ids.count)
    #expect(ids.allSatisfy { $0.utf8.count == 32 && $0.allSatisfy(\.isHexDigit) })
    #expect(try Self.catalog().components(separatedBy: "\n-- ").count - 1 == ids.count)
  }
}
