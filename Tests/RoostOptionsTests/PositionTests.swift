import Testing

@testable import RoostOptions

@Suite("Places in a TOML document")
struct PositionTests {
  private static func place(_ steps: [TOMLPositions.Step], in text: String) -> String {
    let positions = TOMLPositions(of: text)
    guard let name = positions.names[steps], let value = positions.values[steps] else { return "none" }
    return "\(name.line):\(name.column) \(value.line):\(value.column)"
  }

  @Test("Keys and values, bare, quoted and dotted")
  func keys() {
    let text = "a = 1\n\"b c\"  =  'x'\n  d.e . f = true # d.e.f = 5\n"
    #expect(Self.place([.key("a")], in: text) == "1:1 1:5")
    #expect(Self.place([.key("b c")], in: text) == "2:1 2:11")
    #expect(Self.place([.key("d"), .key("e"), .key("f")], in: text) == "3:9 3:13")
  }

  @Test("Tables, arrays of tables, and tables within them")
  func tables() {
    let text = "[a]\nb = 1\n[[c]]\nd = 1\n[c.e]\nf = 1\n\n[[ c ]]\n d = 2\n"
    #expect(Self.place([.key("a"), .key("b")], in: text) == "2:1 2:5")
    #expect(Self.place([.key("c"), .index(0), .key("d")], in: text) == "4:1 4:5")
    #expect(Self.place([.key("c"), .index(0), .key("e"), .key("f")], in: text) == "6:1 6:5")
    #expect(Self.place([.key("c"), .index(1), .key("d")], in: text) == "9:2 9:6")
  }

  @Test("Arrays and inline tables, over several lines, with comments")
  func nested() {
    let text = "a = [\n  1, # one, ]\n  [ \"x,]\", 2 ],\n  { b = [3], \"c\" = 4 },\n]\nd = 5"
    #expect(TOMLPositions(of: text).values[[.key("a"), .index(1), .index(1)]] == .init(line: 3, column: 12))
    #expect(Self.place([.key("a"), .index(2), .key("c")], in: text) == "4:14 4:20")
    #expect(Self.place([.key("d")], in: text) == "6:1 6:5")
  }

  @Test("Strings of all kinds hide what looks like structure")
  func strings() {
    for string in [
      #""a = 1 # [x]""#, #"'\'"#, #""\"""#, "\"\"\"\n]\n\"two\" \\\"\n\"\"\"\"", "'''\na = 1\n''''",
      "1979-05-27 07:32:00",
    ] {
      let text = "x = \(string)\ny = 1\n"
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
      #expect(Self.place([.key("y")], in: text) == "\(lines):1 \(lines):5", "\(string)")
    }
  }

  @Test("Columns count characters")
  func columns() {
    #expect(Self.place([.key("a"), .key("b")], in: "a = { \"ü\" = \"é\", b = 1 }") == "1:18 1:22")
  }

  @Test("Any text at all comes to an end")
  func garbage() {
    let parts = ["[", "]", "{", "}", "\"", "'", "\"\"\"", "=", ",", ".", "\n", "a", "#", "\\", " "]
    var state = UInt64.random(in: 0...UInt64.max)
    for _ in 0..<5000 {
      var text = ""
      for _ in 0..<20 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text += parts[Int(state >> 33) % parts.count]
      }
      _ = TOMLPositions(of: text)
    }
  }
}
