import RoostContract
import Testing

@Suite("einhorn messages")
struct EinhornMessageTests {
  private func parse(_ text: String) -> EinhornMessage? { EinhornMessage(parsing: Array(text.utf8)[...]) }

  @Test(
    "An acknowledgement is understood as its clients write it",
    arguments: [
      #"{"command":"worker:ack", "pid":4711}"#, #"{"command": "worker:ack", "pid": 4711}"#,
      #"{"command":"worker:ack","pid":4711}"#, #"{"pid":4711,"command":"worker:ack"}"#,
      "---%0Acommand: worker:ack%0Apid: 4711%0A", "---%0Apid:%204711%0Acommand:%20worker:ack",
      #"---%0A"command": "worker:ack"%0A"pid": 4711%0A"#, "--- %0Acommand: 'worker:ack'%0Apid: 4711",
    ])
  func acknowledgement(_ text: String) {
    #expect(parse(text) == .acknowledgement(pid: 4711))
  }

  @Test(
    "Anything else isn't one",
    arguments: [
      "", "{}", "command", "pid", #"{"command":"worker:ping","pid":1}"#, #"{"command":"worker:ack"}"#,
      #"{"command":"worker:ack","pid":"x"}"#, #"{"command":"worker:ack","pid":-1}"#,
      #"{"command":"worker:acknowledge","pid":1}"#,
      #"{"command":"worker:ack","pid":99999999999}"#, "%", "%0", "command: worker:ack%0Apid:",
      String(repeating: " ", count: 1024) + #"{"command":"worker:ack","pid":1}"#,
    ])
  func others(_ text: String) {
    #expect(parse(text) == nil)
  }

  @Test("Every beginning of a message is read, and damaged ones are")
  func damaged() {
    let message = Array("---%0Acommand: worker:ack%0Apid: 4711%0A".utf8)
    for count in message.indices { #expect(EinhornMessage(parsing: message[..<count]) == nil || count > 33) }
    for place in message.indices {
      for byte: UInt8 in [0, 0x25, 0x3a, 0x22, 0xff] {
        var changed = message
        changed[place] = byte
        _ = EinhornMessage(parsing: changed[...])
      }
    }
  }
}
