import RoostJSON
import Testing

@Suite("JSON")
struct JSONTests {
  private func parse(_ text: String) throws(JSON.Malformed) -> JSON { try JSON(parsing: Array(text.utf8)) }

  @Test("Every kind of value is read, whatever the white space")
  func values() throws {
    let text =
      " { \"a\" : [ 1 , -2 , 0 ] ,\n\t\"b\" : { } , \"c\" : [ ] , \"d\" : true , \"e\" : false , \"f\" : null } \r\n"
    #expect(
      try parse(text) == [
        "a": [1, -2, 0], "b": .object([]), "c": .array([]), "d": true, "e": false, "f": .null,
      ])
  }

  @Test("Escapes are read, surrogate pairs as one character")
  func escapes() throws {
    #expect(try parse(#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é""#) == .string("\"\\/\u{8}\u{c}\n\r\té😀é"))
  }

  @Test("What is written is read as the same")
  func roundTrip() throws {
    let value: JSON = [
      "text": "quotes \" and \\ and \u{0}\u{1f}\n\t é 😀", "numbers": [.integer(.max), .integer(.min)], "": ["": .null],
    ]
    #expect(try parse(value.text) == value)
  }

  @Test(
    "A text that isn't JSON is refused, with the place",
    arguments: [
      ("", 0), ("{", 1), ("[1,]", 3), ("[1 2]", 3), ("{\"a\":1,}", 7), ("{\"a\" 1}", 5), ("{a:1}", 1), ("01", 0),
      ("1.5", 1), ("1e3", 1), ("-", 0), ("+1", 0), ("9223372036854775808", 0), ("nul", 0), ("\"a", 2), ("\"\n\"", 1),
      ("\"\\x\"", 3), ("\"\\u12\"", 3), ("\"\\ud800\"", 7), ("\"\\udc00\"", 7), ("\"\\u+123\"", 3), ("1 1", 2),
      ("{\"a\":1,\"a\":2}", 10), ("//\n1", 0), ("'a'", 0), ("[1", 2),
    ])
  func malformed(_ text: String, _ offset: Int) {
    let error = #expect(throws: JSON.Malformed.self) { try parse(text) }
    #expect(error?.offset == offset, "\(text): \(error?.expected ?? "")")
  }

  @Test(
    "A number that no Int can be is a string where that is asked for",
    arguments: ["1.5", "-0.25", "1e3", "1E+3", "-2.5e-10", "9223372036854775808"])
  func otherNumbers(_ text: String) throws {
    let json = try JSON(parsing: Array("[\(text),1]".utf8), otherNumbers: .strings)
    #expect(json == .array([.string(text), 1]))
  }

  @Test("What is no number at all is refused all the same", arguments: ["1.", ".5", "1e", "1e+", "01.5", "1.5.5", "-"])
  func noNumbers(_ text: String) {
    #expect(throws: JSON.Malformed.self) { try JSON(parsing: Array(text.utf8), otherNumbers: .strings) }
  }

  @Test("Text that isn't UTF-8 is refused")
  func notText() {
    #expect(throws: JSON.Malformed.self) { try JSON(parsing: [0x22, 0xff, 0x22]) }
    #expect(throws: JSON.Malformed.self) { try JSON(parsing: [0x22, 0xed, 0xa0, 0x80, 0x22]) }
  }

  @Test("Nesting is bounded, so that no text can exhaust the stack")
  func depth() throws {
    _ = try parse(String(repeating: "[", count: 32) + String(repeating: "]", count: 32))
    #expect(throws: JSON.Malformed.self) { try parse(String(repeating: "[", count: 33)) }
    #expect(throws: JSON.Malformed.self) { try parse(String(repeating: "[{\"a\":", count: 100_000)) }
  }

  @Test("Any bytes are either a value or refused")
  func noise() {
    let pieces = ["{", "}", "[", "]", ",", ":", "\"", "a", "\\", "u", "d83d", "1", "-", "true", " ", "\0", "é"]
    for _ in 0..<20_000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0...12) {
        bytes += Bool.random() ? Array(pieces.randomElement()!.utf8) : [UInt8.random(in: 0...255)]
      }
      guard let value = try? JSON(parsing: bytes) else { continue }
      #expect((try? parse(value.text)) == value, "\(bytes)")
    }
  }
}
