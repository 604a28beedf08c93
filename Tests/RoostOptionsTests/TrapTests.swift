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
