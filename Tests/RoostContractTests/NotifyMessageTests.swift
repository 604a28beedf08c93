import RoostContract
import Testing

@Suite("Notify messages")
struct NotifyMessageTests {
  private func parse(_ text: String) throws(NotifyMessage.Malformed) -> NotifyMessage {
    try NotifyMessage(parsing: Array(text.utf8))
  }

  @Test("Every known assignment is read, in any order, with or without a newline at the end")
  func known() throws {
    var expected = NotifyMessage()
    expected.isReady = true
    expected.isAlive = true
    expected.status = "42 = the answer"
    expected.extendTimeoutMicroseconds = 5_000_000
    expected.requestsReload = true
    let text = "STATUS=42 = the answer\nREADY=1\nX_ROOST_RELOAD=1\nEXTEND_TIMEOUT_USEC=5000000\nWATCHDOG=1"
    #expect(try parse(text) == expected)
    #expect(try parse(text + "\n") == expected)
    #expect(try parse(text + "\0") == expected)
    #expect(try NotifyMessage(parsing: expected.datagram) == expected)
  }

  @Test("What a worker has no say in is ignored")
  func ignored() throws {
    let text = "MAINPID=1\nFDSTORE=1\nRELOADING=1\nERRNO=2\nno assignment\n=\nREADY=0\nready=1\n READY=1"
    #expect(try parse(text) == NotifyMessage())
  }

  @Test("A barrier counts only when it is alone in its datagram, as systemd has it")
  func barrier() throws {
    #expect(try parse("BARRIER=1").isBarrier)
    #expect(try parse("BARRIER=1\n").isBarrier)
    let mixed = try parse("BARRIER=1\nREADY=1")
    #expect(!mixed.isBarrier && mixed.isReady)
  }

  @Test("An impossible time is ignored", arguments: ["", "-1", "1e3", "18446744073709551616", "0x10", " 1"])
  func badTimes(_ value: String) throws {
    #expect(try parse("EXTEND_TIMEOUT_USEC=\(value)").extendTimeoutMicroseconds == nil)
  }

  @Test("A status can't write to a terminal or break a line of the log")
  func controlCharacters() throws {
    #expect(try parse("STATUS=a\u{1b}[2Jb\rc\u{202e}d").status == "a[2Jbcd")
  }

  @Test("A datagram that isn't a message is dropped whole")
  func malformed() throws {
    #expect(throws: NotifyMessage.Malformed.empty) { try parse("") }
    #expect(throws: NotifyMessage.Malformed.empty) { try parse("\0") }
    #expect(throws: NotifyMessage.Malformed.embeddedNUL) { try parse("READY=1\0STATUS=x") }
    #expect(throws: NotifyMessage.Malformed.notText) { try NotifyMessage(parsing: [0x52, 0xff, 0x3d]) }
    let longest = Array(repeating: UInt8(ascii: "x"), count: NotifyMessage.maximumLength)
    #expect(try NotifyMessage(parsing: longest) == NotifyMessage())
    #expect(throws: NotifyMessage.Malformed.tooLong) { try NotifyMessage(parsing: longest + [10]) }
  }

  @Test("Any bytes at all are either a message or a reason, and a message says the same when written again")
  func noise() {
    var generator = SystemRandomNumberGenerator()
    let pieces: [[UInt8]] = ["READY=1", "\n", "STATUS=", "\0", "BARRIER=1", "EXTEND_TIMEOUT_USEC=", "9", "=", "é"].map {
      Array($0.utf8)
    }
    for _ in 0..<20_000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0...8, using: &generator) {
        bytes +=
          Bool.random(using: &generator)
          ? pieces.randomElement(using: &generator)! : [UInt8.random(in: 0...255, using: &generator)]
      }
      guard let message = try? NotifyMessage(parsing: bytes), message != NotifyMessage() else { continue }
      #expect((try? NotifyMessage(parsing: message.datagram)) == message, "\(bytes)")
    }
  }
}
