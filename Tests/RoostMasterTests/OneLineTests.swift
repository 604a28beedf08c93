import Testing

@testable import RoostMaster

@Suite("One line")
struct OneLineTests {
  @Test("A text that fits stays as it is")
  func fits() {
    #expect(OneLine.of("häuser", atMost: 7) == "häuser")
  }

  @Test("A longer one is cut between characters, and shows it")
  func cut() {
    #expect(OneLine.of("abcdefgh", atMost: 7) == "abcd…")
    #expect(OneLine.of("abcäefgh", atMost: 7) == "abc…")
    #expect(OneLine.of("😀😀", atMost: 6) == "…")
  }

  @Test("Line breaks and other control characters become spaces")
  func controls() {
    #expect(OneLine.of("a\nMAINPID=1\r\u{1b}[2J\u{7f}", atMost: 100) == "a MAINPID=1  [2J ")
  }
}
