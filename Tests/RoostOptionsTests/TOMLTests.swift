import Glibc
import Testing

@testable import RoostOptions

@Suite("TOML")
struct TOMLTests {
  /// All that is read: path, where the name stands, where the value stands, what it is. Or why nothing is.
  private static func lines(_ text: String) -> [String] {
    do {
      return try TOMLReader.entries(of: text, path: "f").flatMap { lines($0, in: "") }
    } catch {
      return error.lines
    }
  }

  private static func lines(_ entry: OptionEntry, in path: String) -> [String] {
    lines(entry.value, "\(path)\(entry.name)", "\(position(entry.place)) ")
  }

  private static func lines(_ value: Located, _ path: String, _ name: String) -> [String] {
    let first = "\(path) \(name)\(position(value.place)) \(value.value.words)"
    return switch value.value {
    case .table(let entries): [first] + entries.flatMap { lines($0, in: "\(path).") }
    case .array(let elements):
      [first] + elements.enumerated().flatMap { lines($0.element, "\(path)[\($0.offset)]", "") }
    case .string, .integer, .boolean, .other, .text: [first]
    }
  }

  private static func position(_ place: Place) -> String {
    guard case .file("f", let line, let column) = place else { return "nowhere" }
    return "\(line):\(column)"
  }

  private static func value(_ text: String) throws -> OptionValue {
    try #require(try TOMLReader.entries(of: "a = \(text)", path: "f").first).value.value
  }

  @Test("Names and values have places, whether bare, quoted or dotted")
  func names() {
    #expect(
      Self.lines("a = 1\n\"b c\"  =  'x'\n\t d.e . f = true # d.e.f = 5\nd.\"\\u0067\" = 2") == [
        "a 1:1 1:5 the number 1", "b c 2:1 2:11 \"x\"", "d 3:3 3:3 a table", "d.e 3:5 3:5 a table",
        "d.e.f 3:9 3:13 true", "d.g 4:3 4:14 the number 2",
      ])
    #expect(Self.lines("\"\" = 1\n'' .b = 2") == ["f:2:1: this isn't TOML: '' is there already, in line 1"])
    #expect(
      Self.lines("- = 1\n1.5 = 2") == ["- 1:1 1:5 the number 1", "1 2:1 2:1 a table", "1.5 2:3 2:7 the number 2"])
  }

  @Test("A table with a head has the place of its '['")
  func heads() {
    #expect(
      Self.lines(" [a.b]\nc = 1\n[a]\nd = 2\n[ a . 'e' ]# f\n[a.b.g]") == [
        "a 1:2 3:1 a table", "a.b 1:2 1:2 a table", "a.b.c 2:1 2:5 the number 1", "a.b.g 6:1 6:1 a table",
        "a.d 4:1 4:5 the number 2", "a.e 5:1 5:1 a table",
      ])
    #expect(
      Self.lines("[[a]]\nb = 1\n[a.c]\nd = 1\n\n  [[ a ]]\n[[a.c]]\n[[a.c]]\n e = 2") == [
        "a 1:1 1:1 an array", "a[0] 1:1 a table", "a[0].b 2:1 2:5 the number 1", "a[0].c 3:1 3:1 a table",
        "a[0].c.d 4:1 4:5 the number 1", "a[1] 6:3 a table", "a[1].c 7:1 7:1 an array", "a[1].c[0] 7:1 a table",
        "a[1].c[1] 8:1 a table", "a[1].c[1].e 9:2 9:6 the number 2",
      ])
  }

  @Test("Arrays go over lines, with comments; tables in braces have names with dots")
  func nested() {
    #expect(
      Self.lines("a = [\n  1, # one, ]\n\n  [ \"x,]\", 2 ]\n,\t{ b.c = [3], \"b\".d = {} },]\ne = []") == [
        "a 1:1 1:5 an array", "a[0] 2:3 the number 1", "a[1] 4:3 an array", "a[1][0] 4:5 \"x,]\"",
        "a[1][1] 4:12 the number 2", "a[2] 5:3 a table", "a[2].b 5:5 5:5 a table", "a[2].b.c 5:7 5:11 an array",
        "a[2].b.c[0] 5:12 the number 3", "a[2].b.d 5:20 5:24 a table", "e 6:1 6:5 an array",
      ])
  }

  @Test("Columns count characters, of a line with any end, and without the mark before a text")
  func columns() {
    #expect(
      Self.lines("\u{feff}a = { \"ü\" = \"😀é\", b = 1 }\r\nc\t=\t1\r\n") == [
        "a 1:1 1:5 a table", "a.ü 1:7 1:13 \"😀é\"", "a.b 1:19 1:23 the number 1", "c 2:1 2:5 the number 1",
      ])
    #expect(Self.lines("a = 1\n\u{feff}b = 2")[0].hasPrefix("f:2:1: this isn't TOML: expected the name of an option"))
  }

  @Test(
    "Strings of all four kinds",
    arguments: [
      (##""a = 1 # [x]""##, "a = 1 # [x]"), (#"'\' # it"#, "\\"), (#""\b\t\n\f\r\"\\""#, "\u{8}\t\n\u{c}\r\"\\"),
      (#""\u00e9\U0001F600""#, "é😀"), ("\"\"", ""), ("''''''", ""), ("\"\"\"\"\"\"", ""),
      ("\"\"\"\n]\n\"two\" \\\"\"\"\"\"\"", "]\n\"two\" \"\"\""), ("'''\r\n\na = 1\\\r\n'''''", "\na = 1\\\n''"),
      ("\"\"\"a\\\n\n \t b \\ \t\r\n\"\"\"", "ab "), ("\"\"\"a\"\"b\"\"\"", "a\"\"b"), ("'\t\"'", "\t\""),
    ])
  func strings(_ written: String, _ meant: String) throws {
    #expect(try Self.value(written) == .string(meant))
    // What follows is found again.
    let line = written.unicodeScalars.count { $0 == "\n" } + 2
    #expect(Self.lines("a = \(written)\nb = 1").last == "b \(line):1 \(line):5 the number 1")
  }

  @Test(
    "Whole numbers",
    arguments: [
      ("0", 0), ("-0", 0), ("+99", 99), ("1_000", 1000), ("0xdead_BEEF", 0xdead_beef), ("0o017", 15), ("0b0_1", 1),
      ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min),
    ])
  func integers(_ written: String, _ meant: Int) throws {
    #expect(try Self.value(written) == .integer(meant))
  }

  @Test(
    "Numbers that no option takes are told as they were written",
    arguments: [
      "1.5", "-0.0", "1e5", "+1_0.0_1E-0_6", "inf", "-nan", "9223372036854775808", "0xffff_ffff_ffff_ffff",
      "100000000000000000000",
    ])
  func otherNumbers(_ written: String) throws {
    #expect(try Self.value(written) == .other("the number \(written)"))
  }

  @Test(
    "Dates and times are told as they were written",
    arguments: [
      "1979-05-27", "07:32:00", "07:32:00.999", "1979-05-27T07:32:00Z", "1979-05-27t00:32:00.5-07:00",
      "1979-05-27 07:32:00+00:00",
    ])
  func times(_ written: String) throws {
    #expect(try Self.value(written) == .other("the date or time \(written)"))
    #expect(Self.lines("a = [\(written),1]\nb = \(written) # c\nd = 1").count == 5)
  }

  @Test(
    "What is no value is meant as a string",
    arguments: [
      "notify", "True", "30s", "/srv/web", "127.0.0.1:80", "5.", ".5", "1__0", "1_", "_1", "++1", "0x", "0xg", "-0x1",
      "0X1", "0b2", "1e", "1e5.0", "1.e5", "+inf1", "1.2.3", "07:32", "1979-05-27T", "1979-05-27T07:32:00z1",
      "07:32:00Z", "07:32:00.", "1979-5-27", "é", "-", "+",
    ])
  func words(_ written: String) {
    #expect(
      Self.lines("\na = [\(written)]") == ["f:2:6: this isn't TOML: a string needs quotes, as in \"\(written)\""])
  }

  @Test(
    "What is wrong is told with its place",
    arguments: [
      ("{ \"a\": 1 }", "1:1", "expected the name of an option, found '{'"),
      ("a /b", "1:3", "expected '=' after 'a', found '/'"),
      ("\"a b\"", "1:6", "expected '=' after 'a b', found the end of the file"),
      ("'''a''' = 1", "1:3", "expected '=' after '', found '''"),
      ("a. = 1", "1:4", "expected the name of an option, found '='"),
      ("a =\r\n", "1:4", "expected a value, found the end of the line"),
      ("a = \u{a0}1", "1:5", "expected a value, found U+00A0"),
      ("a = 1\u{b}", "1:6", "expected the end of the line, found U+000B"),
      ("a = 1\rb = 2", "1:6", "expected the end of the line, found U+000D"),
      ("a = 1 b = 2", "1:7", "expected the end of the line, found 'b'"),
      ("a = 1979-05-27 7", "1:16", "expected the end of the line, found '7'"),
      ("a = 00", "1:5", "a number can't begin with '0', and a string needs quotes, as in \"00\""),
      ("#\ta\u{1}", "1:4", "expected no control character in a comment, found U+0001"),
      ("a = \"b\u{7f}\"", "1:7", "expected no control character in a string, found U+007F"),
      ("a = '''\r'''", "1:8", "expected no control character in a string, found U+000D"),
      ("a = [\"b]\n", "1:6", "the string that begins here has no end"),
      ("a = 'b\\'\\", "1:9", "expected the end of the line, found '\\'"),
      ("a = '''\nb\n''", "1:5", "the string that begins here has no end"),
      ("a = \"\\ud800\"", "1:6", "expected a character by its number, of 4 hexadecimal digits"),
      ("a = \"\\u00g0\"", "1:6", "expected a character by its number, of 4 hexadecimal digits"),
      ("a = \"\\U0000041\"", "1:6", "expected a character by its number, of 8 hexadecimal digits"),
      ("a = \"\\U00110000\"", "1:6", "expected a character by its number, of 8 hexadecimal digits"),
      ("a = [1 2]", "1:8", "expected ',' or ']' in the array that begins in line 1, found '2'"),
      ("a = [\n1\nb = 1", "3:1", "expected ',' or ']' in the array that begins in line 1, found 'b'"),
      ("a = [,]", "1:6", "expected a value, found ','"),
      ("a = [ }", "1:7", "expected a value, found '}'"),
      ("a = [", "1:6", "expected a value, found the end of the file"),
      ("a = {\n}", "1:6", "expected a name in the line of the '{', found the end of the line"),
      ("a = {b = 1,}", "1:12", "expected a name in the line of the '{', found '}'"),
      ("a = {b = 1 # c\n}", "1:12", "expected ',' or '}' in the line of the '{', found '#'"),
      ("a = {b}", "1:7", "expected '=' after 'b', found '}'"),
      ("[[#", "1:3", "expected the name of a table, found '#'"),
      ("[\n]", "1:2", "expected the name of a table, found the end of the line"),
      ("[[[a]]]", "1:3", "expected the name of a table, found '['"),
      ("[ é]", "1:3", "expected the name of a table, found 'é'"),
      ("[a", "1:3", "expected ']' after the name of a table, found the end of the file"),
      ("[[a]", "1:4", "expected ']]' after the name of a table, found ']'"),
      ("[[a] ]", "1:4", "expected ']]' after the name of a table, found ']'"),
      ("[ [a]]", "1:3", "expected the name of a table, found '['"),
      ("[a] b = 1", "1:5", "expected the end of the line, found 'b'"),
      ("[\"\"\"a\"\"\"]", "1:4", "expected ']' after the name of a table, found '\"'"),
    ])
  func errors(_ text: String, _ place: String, _ words: String) {
    #expect(Self.lines(text) == ["f:\(place): this isn't TOML: \(words)"])
  }

  @Test(
    "What a backslash means nothing before is told, with what to write",
    arguments: [
      (#"a = "\d""#, "1:6", "'d'"), (#"a = "\"#, "1:6", "the end of the file"),
      ("a = \"\\\n\"", "1:6", "the end of the line"),
      ("a = \"\"\"\n\\ n\"\"\"", "2:1", "' '"), (#"a = "\x41""#, "1:6", "'x'"), (#""\e" = 1"#, "1:2", "'e'"),
    ])
  func escapes(_ text: String, _ place: String, _ found: String) {
    let words = "'\\' means nothing before \(found): write '\\\\', or put the string into single quotes"
    #expect(Self.lines(text) == ["f:\(place): this isn't TOML: \(words)"])
  }

  @Test("A NUL is refused, since nothing that Roost passes on can contain it")
  func nul() {
    for (text, place) in [
      (#"a = "b\u0000""#, "1:7"), ("a = \"\"\"\n\\U00000000\"\"\"", "2:1"), (#""\u0000" = 1"#, "1:2"),
    ] {
      #expect(Self.lines(text) == ["f:\(place): contains a NUL character"])
    }
    #expect(Self.lines(#"a = '\u0000' # \u0000"#) == [#"a 1:1 1:5 "\u0000""#])
  }

  @Test(
    "What is there already is told, at its second place",
    arguments: [
      ("a = 1\n a = 2", "a", "2:2"), ("a = 1\n'a' = 2", "a", "2:1"), ("a.b = 1\na . b = 2", "b", "2:5"),
      ("a = 1\na.b = 2", "a", "2:1"), ("a.b = 1\na = 2", "a", "2:1"), ("a = {}\na.b = 1", "a", "2:1"),
      ("a = [{}]\n[[a]]", "a", "2:1"), ("a = [{}]\n[a.b]", "a", "2:1"), ("a = {}\n[a.b]", "a", "2:1"),
      ("[a]\n[a]", "a", "2:1"), ("[a]\n[[a]]", "a", "2:1"), ("[[a]]\n[a]", "a", "2:1"), ("a = 1\n[a]", "a", "2:1"),
      ("a = 1\n[[a]]", "a", "2:1"), ("a.b = 1\n[a]", "a", "2:1"), ("a.b = 1\n[[a]]", "a", "2:1"),
      ("[a.b]\n[[a]]", "a", "2:1"), ("a.b.c = 1\n[a.b]", "b", "2:1"), ("[a.b]\n[a]\nb.c = 1", "b", "3:1"),
      ("[[a.b]]\n[a]\nb.c = 1", "b", "3:1"), ("[a.b.c]\n[a]\nb.d = 1\n[a.b]", "b", "4:1"),
    ])
  func twice(_ text: String, _ name: String, _ place: String) {
    #expect(Self.lines(text) == ["f:\(place): this isn't TOML: '\(name)' is there already, in line 1"])
  }

  @Test("Within braces it is told, too")
  func twiceInBraces() {
    for text in ["{ b = 1, b = 2 }", "{ b.c = 1, b = 2 }", "{ b = {}, b.c = 2 }"] {
      #expect(Self.lines("a = \(text)")[0].hasSuffix("'b' is there already, in line 1"))
    }
  }

  @Test("What isn't the same isn't there already, even if it looks alike")
  func alike() {
    #expect(Self.lines("\"\u{e9}\" = 1\n\"e\u{301}\" = 2\n\"e\" = 3").count == 3)
    #expect(Self.lines("a.b = 1\na.c = 2\n[a.d]\n[x.y]\n[x]\n[[z]]\nb.c = 1\n[[z]]\nb.c = 1").count == 13)
  }

  @Test("Endless nesting is told where it is, before it costs anything")
  func nesting() {
    let deep = 100_000
    let parts = String(repeating: ".a", count: deep)
    for (text, place, what) in [
      ("a\(parts) = 1", "1:65", "a name of fewer parts"), ("b = 1\n[a\(parts)]\n", "2:66", "a name of fewer parts"),
      ("[[a\(parts)]]\n", "1:67", "a name of fewer parts"), ("a = { b\(parts) = 1 }", "1:71", "a name of fewer parts"),
      ("a = " + String(repeating: "[", count: deep), "1:38", "less nesting"),
      ("\na = " + String(repeating: "{a=", count: deep), "2:104", "less nesting"),
      ("a = " + String(repeating: "{a.a.a=", count: deep), "1:82", "less nesting"),
    ] {
      #expect(
        Self.lines(text)[0].hasPrefix("f:\(place): this isn't TOML: expected \(what), found"), "\(text.prefix(9))")
    }
    let allowed = String(repeating: "[", count: 32) + String(repeating: "]", count: 32)
    #expect(Self.lines("a\(String(repeating: ".a", count: 31)) = 1\nb = \(allowed)").count == 64)
  }

  /// What a thread spends on reading a text: others use the machine, too.
  private static func nanoseconds(_ text: String) -> Int {
    func now() -> Int {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
    let begin = now()
    _ = try? TOMLReader.entries(of: text, path: "f")
    return now() - begin
  }

  @Test(
    "Eight times the text takes eight times as long, not sixty-four",
    arguments: [
      ("", "a$=1\n", ""), ("", "[[a]]\n", ""), ("", "[a.b$]\n", ""), ("", "a.b$=1\n", ""), ("a = [", "1,", "]"),
      ("a = {", "a$=1,", "b=1}"), ("a = [", "[],#\n", "]"), ("a = '''", "''a\n", "'''"), ("a = ", "1", ""),
      ("a = \"\"\"", "\\ \n\\n", "\"\"\""), ("a = ", "x", ""), ("a = 1979-05-27 ", "0", ""), ("", " #\n", ""),
      ("a = [", "1979-05-27 ,", "]"), ("", " ", ""), ("a = 1 ", "1 ", ""),
    ])
  func time(_ begin: String, _ part: String, _ end: String) {
    func text(_ count: Int) -> String {
      let pieces = part.split(separator: "$", omittingEmptySubsequences: false)
      return begin + (0..<count).map { pieces.joined(separator: "\($0)") }.joined() + end
    }
    #expect(Self.nanoseconds(text(32_000)) < 20 * (Self.nanoseconds(text(4_000)) + 1_000_000))
  }

  @Test("No text at all ends the process")
  func noise() {
    let pieces = [
      "[", "[[", "]", "]]", "#", "\n", "=", "a", ".", "\"", "'", "\"\"\"", "'''", "{", "}", ",", " ", "\\", "1", "é",
      "\u{2028}", "\u{a0}", "\u{b}", "\r", "\t", "-", "inf", "0x", "1979-05-27", "07:32", "true", "\u{feff}",
    ]
    for _ in 0..<10_000 {
      _ = Self.lines((0..<Int.random(in: 0...10)).map { _ in pieces.randomElement()! }.joined())
    }
  }
}
