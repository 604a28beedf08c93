import RoostContract
import Testing

@Suite("Answers to a probe")
struct ProbeResponseTests {
  private func parse(_ text: String) -> ProbeResponse { ProbeResponse(parsing: Array(text.utf8)[...]) }

  @Test("A status line tells its status, whatever follows", arguments: [200, 204, 503])
  func status(_ status: Int) {
    for text in [
      "HTTP/1.1 \(status) OK\r\n", "HTTP/1.0 \(status)\r\n", "HTTP/1.1 \(status) A b\r\nX: y\r\n\r\nbody",
      "HTTP/1.1 \(status)\n",
    ] {
      #expect(parse(text) == .status(status))
    }
  }

  @Test("What isn't final is passed over; a switch of protocols is final", arguments: ["\r\n", "\n"])
  func interim(_ end: String) {
    let interim = "HTTP/1.1 100 Continue\(end)\(end)HTTP/1.1 103 Early Hints\(end)Link: </a>\(end)\(end)"
    #expect(parse(interim + "HTTP/1.1 204 No Content\(end)") == .status(204))
    let bytes = Array(interim.utf8)
    for count in 0...bytes.count { #expect(ProbeResponse(parsing: bytes[..<count]) == .incomplete) }
    #expect(parse("HTTP/1.1 101 Switching Protocols\(end)") == .status(101))
    #expect(parse(interim + "x") == .malformed)
  }

  @Test("What isn't final isn't read for ever")
  func endlessInterim() {
    let head = "HTTP/1.1 103 Early Hints\r\n"
    let line = "X: y\r\n"
    #expect(parse(head + String(repeating: line, count: 100)) == .incomplete)
    #expect(parse(head + String(repeating: line, count: 5000)) == .malformed)
    #expect(parse(String(repeating: head + "\r\n", count: 5000)) == .malformed)
  }

  @Test("Every beginning of a status line is incomplete")
  func incomplete() {
    let line = Array("HTTP/1.1 200 OK\r".utf8)
    for count in 0...line.count { #expect(ProbeResponse(parsing: line[..<count]) == .incomplete) }
  }

  @Test(
    "Anything else isn't HTTP/1",
    arguments: [
      "x", "HTTP/2 200\r\n", "HTTP/1.1\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2000\r\n", "HTTP/1.1 2x0 OK\r\n", "\n",
      "SSH-2.0",
    ])
  func malformed(_ text: String) {
    #expect(parse(text) == .malformed)
  }

  @Test("A line without end isn't read for ever")
  func endless() {
    #expect(parse("HTTP/1.1 200 " + String(repeating: "x", count: 512)) == .malformed)
  }
}
