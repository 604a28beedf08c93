import Testing

@testable import RoostOptions

@Suite("Environment files, as systemd has them")
struct EnvironmentFileTests {
  @Test(
    "Values",
    arguments: [
      ("A=b", "b"), ("A=", ""), ("A=  b c  ", "b c"), ("A='b c  '", "b c  "), ("A=\"b\\\"c\\\\d\"", "b\"c\\d"),
      ("A=\"\\n\"", "\\n"), ("A='\\'", "\\"), ("A=b\\\nc", "bc"), ("A=\"b\nc\"", "b\nc"), ("A=x'y'\"z\"", "xyz"),
      ("A=b#c", "b#c"), ("A=$B", "$B"), ("A=b\r", "b"), ("A=\\ b", " b"),
    ])
  func values(_ text: String, _ value: String) throws {
    let found = try EnvironmentFile.parse(text + "\n# B=1\n; C=1\n\n", path: "f")
    #expect(found.map(\.name) == ["A"])
    #expect(found.first?.value == value)
  }

  @Test(
    "What is no assignment is told with its line",
    arguments: [
      ("\nA", "f:2:1: found 'A', expected NAME=value"), ("A='b\nc", "f:1:1: the quote ' is never closed"),
      ("1A=b", "f:1:1: '1A' is no name of a variable: use letters, digits and '_', not beginning with a digit"),
      (
        "export A=b",
        "f:1:1: 'export A' is no name of a variable: use letters, digits and '_', not beginning with a digit"
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
