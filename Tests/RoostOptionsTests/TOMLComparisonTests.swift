import Foundation
import Testing

@testable import RoostOptions

/// A second opinion: Python's reader of TOML. `ROOST_TOML_SEED` and `ROOST_TOML_TEXTS` choose other texts, and more.
@Suite("TOML beside Python's reader")
struct TOMLComparisonTests {
  private static func python(_ arguments: [String]) throws -> (status: Int32, output: Data) {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-B"] + arguments
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, output)
  }

  /// Before 3.11 there is none, and that of 3.15 reads TOML 1.1.
  private static var hasReader: Bool {
    let check = "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))"
    return (try? python(["-c", check]).status) == 0
  }

  /// As `form` in the script makes it.
  private static func form(_ value: OptionValue) -> String {
    switch value {
    case .boolean(let boolean): "\(boolean)"
    case .integer(let number): "\(number)"
    case .string(let string): "\(string.unicodeScalars.count):\(string)"
    case .array(let elements): "[\(elements.map { form($0.value) }.joined(separator: ","))]"
    case .table(let entries):
      "{\(entries.map { "\(form(.string($0.name)))=\(form($0.value.value))" }.joined(separator: ","))}"
    case .other(let words): words.hasPrefix("the number") ? "number" : "time"
    case .text: "never in a file"
    }
  }

  @Test("What one accepts the other accepts, and both read the same", .enabled(if: hasReader))
  func comparison() throws {
    let environment = ProcessInfo.processInfo.environment
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("tomllib_texts.py")
    let count = environment["ROOST_TOML_TEXTS"] ?? "4000"
    let (status, output) = try Self.python([script.path, environment["ROOST_TOML_SEED"] ?? "1", count])
    #expect(status == 0)
    let records = try output.split(separator: UInt8(ascii: "\n")).map {
      try JSONDecoder().decode([String?].self, from: $0)
    }
    #expect("\(records.count)" == count)
    for record in records {
      let text = try #require(record[0])
      let found = (try? TOMLReader.entries(of: text, path: "f")).map { Self.form(.table($0)) }
      // Not as strings: Swift takes characters that look alike for equal.
      let isSame = found?.utf8.map(\.self) == record[1]?.utf8.map(\.self)
      #expect(isSame, "\(text.debugDescription): found \(found ?? "nothing"), expected \(record[1] ?? "nothing")")
    }
    // Of texts that are all refused, or all accepted, nothing could be seen.
    #expect((records.count / 4...records.count * 3 / 4).contains(records.count { $0[1] != nil }))
  }
}
