import Testing

@testable import RoostOptions

@Suite("What ends the parser's process")
struct TrapTests {
  @Test(
    "It is told, and not given to the parser",
    arguments: [
      ("[[#\n", 1, 3), ("[[[a]]]", 1, 3), ("[#", 1, 2), ("a = 1\n[ =]\n", 2, 3), ("[[ \t.a]]", 1, 5), ("[\n]", 1, 2),
      ("a = [\n1]\n [é]", 3, 3),
      ("a = '''\n[#\n'''\n[#", 4, 2), ("a = \"\\\"[\"\n[[!", 2, 3), ("a = { b = '[' }\n[/]", 2, 2), ("a = [ }", 1, 7),
      ("a = [\u{2028}1]", 1, 6), ("a = [{b = [}]", 1, 12),
    ])
  func missing(_ text: String, _ line: Int, _ column: Int) {
    #expect(TOMLTraps(of: text).first?.position == .init(line: line, column: column))
    #expect(throws: Problems.self) { try ConfigurationFile(text: text, path: "f") }
  }

  @Test(
    "What stands elsewhere is none",
    arguments: [
      "[a]\n[[b]]\n[ c . 'd' ]\n[\"e\"]\n", "a = [\n [ 1 ], # [#\n [ 2 ]\n]\n", "a = \"[#\"\n",
      "a = \"\"\"\n[#\n\"\"\"\"\"\n",
      "# [#\n", "a = '\\'\n[b]\n", "a = {b = [[1]]}\n[c] # [#\n", "",
    ])
  func present(_ text: String) throws {
    #expect(TOMLTraps(of: text).first == nil)
    _ = try ConfigurationFile(text: text, path: "f")
  }

  @Test("Endless nesting is told, wherever it is, before it costs anything")
  func nesting() throws {
    let deep = 100_000
    let names = String(repeating: ".a", count: deep)
    for (text, line) in [
      ("a\(names) = 1", 1), ("b = 1\n[a\(names)]\n", 2), ("[[a\(names)]]\n", 1), ("a = { b\(names) = 1 }", 1),
      ("a = " + String(repeating: "[", count: deep), 1), ("\na = " + String(repeating: "{a=", count: deep), 2),
    ] {
      #expect(TOMLTraps(of: text).first?.position.line == line)
    }
    _ = try ConfigurationFile(text: "a = [1.5, 2.5]\n" + String(repeating: "b.c.d = 1.5\n", count: 1), path: "f")
    let values = (0..<100).map { "a\($0).b = 1.5" }.joined(separator: "\n")
    #expect(TOMLTraps(of: values + "\nc = [" + String(repeating: "1.5, ", count: 100) + "1]").first == nil)
  }

  @Test("No text at all ends the process")
  func noise() {
    let pieces = [
      "[", "[[", "]", "]]", "#", "\n", "=", "a", ".", "\"", "'", "\"\"\"", "'''", "{", "}", ",", " ", "\\", "1", "é",
      "\u{2028}", "\u{a0}", "\u{b}", "\r", "\t", "-", "inf", "0x", "1979-05-27", "07:32", "true", "\u{feff}",
    ]
    for _ in 0..<10_000 {
      let text = (0..<Int.random(in: 0...10)).map { _ in pieces.randomElement()! }.joined()
      _ = try? ConfigurationFile(text: text, path: "f")
    }
  }
}
