import Testing

@testable import RoostOptions

@Suite("Environment files, as systemd has them")
struct EnvironmentFileTests {
  @Test(
    "Values",
    arguments: [
      ("A=b", "b"), ("A=", ""), ("A=  b c  ", "b c"), ("A='b c  '", "b c  "), ("A=\"b\\\"c\\\\d\"", "b\"c\\d"),
      ("A=\"\\n\"", "\\n"), ("A='\\'", "\\"), ("A=b\\\nc", "bc"), ("A=\"b\nc\"", "b\nc"),
      ("A=b#c", "b#c"), ("A=$B", "$B"), ("A=b\r", "b"), ("A=\\ b", " b"), ("A=x'y'\"z\"", "x'y'\"z\""),
      ("A=it's", "it's"), ("A=ab\"cd", "ab\"cd"), ("A='a' \"b\"c", "abc"), ("A='a'b'c'", "ab'c'"), ("A='a' ", "a"),
      ("A =b", "b"), ("A=b\\ ", "b "), ("A=b\\\n  c", "b  c"), ("A= 'b'\r", "b"), ("A=\"b\\\nc\"", "bc"),
    ])
  func values(_ text: String, _ value: String) throws {
    let found = try EnvironmentFile.parse(text + "\n# B=1\n; C=1\n\n", path: "f")
    #expect(found.map(\.name) == ["A"])
    #expect(found.first?.value == value)
  }

  @Test(
    "What is no assignment is told with its line",
    arguments: [
      ("\nA secret", "f:2:1: expected NAME=value"), ("A='b\nc", "f:1:1: the quote ' is never closed"),
      (
        "1A=b",
        "f:1:1: expected NAME=value with a name of a variable: use letters, digits and '_', not beginning with a digit"
      ),
      (
        "c2VjcmV0/A==",
        "f:1:1: expected NAME=value with a name of a variable: use letters, digits and '_', not beginning with a digit"
      ),
      ("LISTEN_PID=1", "f:1:1: 'LISTEN_PID' is set by Roost itself for each worker"),
    ])
  func problems(_ text: String, _ problem: String) {
    #expect {
      try EnvironmentFile.parse(text, path: "f")
    } throws: { error in
      (error as? Problems)?.description == problem
    }
  }
}
