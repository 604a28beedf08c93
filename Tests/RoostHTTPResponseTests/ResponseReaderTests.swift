import RoostHTTPResponse
import Testing

@Suite("Responses over HTTP/1")
struct ResponseReaderTests {
  /// What comes of a text, in one part and byte by byte, and what is left of it.
  private static func read(_ text: String, closed: Bool = false) -> (ResponseReader.Reading, rest: String) {
    let bytes = Array(text.utf8)
    var whole = ResponseReader()
    var (reading, count) = whole.read(bytes[...])
    if closed { reading = whole.close() }
    var piecewise = ResponseReader()
    var other = ResponseReader.Reading.incomplete
    var used = 0
    for index in bytes.indices {
      guard case .incomplete = other else { break }
      (other, _) = piecewise.read(bytes[index...index])
      used += 1
    }
    if closed { other = piecewise.close() }
    #expect(reading == other)
    if case .complete = reading { #expect(used == count) }
    return (reading, String(decoding: bytes[count...], as: UTF8.self))
  }

  private static func complete(_ text: String, closed: Bool = false) -> (status: Int, isLast: Bool, rest: String)? {
    let (reading, rest) = read(text, closed: closed)
    guard case .complete(let head) = reading else { return nil }
    return (head.status, head.isLast, rest)
  }

  @Test(
    "It ends where its head says",
    arguments: [
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200\r\ncontent-length:0\r\n\r\n",
      "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 1\n\na",
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;a=b\r\nabc\r\n0a \r\n0123456789\r\n0\r\nX: y\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2, 2\r\n\r\nab",
    ])
  func ends(_ text: String) throws {
    let found = try #require(Self.complete(text + "HTTP/1.1"))
    #expect(found.status == Int(text.split(separator: " ")[1].prefix(3)) && !found.isLast && found.rest == "HTTP/1.1")
    for count in 0..<text.utf8.count {
      #expect(Self.read(String(decoding: text.utf8.prefix(count), as: UTF8.self)).0 == .incomplete)
    }
  }

  @Test("What isn't final is passed over, however much of it comes", arguments: [1, 2, 500])
  func interim(_ count: Int) throws {
    let interim = ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]
    let text = (0..<count).map { interim[$0 % 2] }.joined()
    #expect(Self.read(text).0 == .incomplete)
    let found = try #require(Self.complete(text + "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))
    #expect(found.status == 503)
  }

  @Test("A switch of protocols is final, and the last")
  func switched() throws {
    let found = try #require(Self.complete("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\u{1}"))
    #expect(found.status == 101 && found.isLast && found.rest == "\u{1}")
  }

  @Test(
    "Without a length it ends with the connection, and is the last one",
    arguments: [
      "HTTP/1.1 200 OK\r\n\r\nabc", "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    ])
  func untilClose(_ text: String) throws {
    #expect(Self.read(text).0 == .incomplete)
    #expect(try #require(Self.complete(text, closed: true)).isLast)
  }

  @Test(
    "A connection that is closed within it completes nothing",
    arguments: ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "HTTP/1.1 100 Continue\r\n\r\n"])
  func cut(_ text: String) {
    #expect(Self.read(text, closed: true).0 == .incomplete)
  }

  @Test(
    "It is the last one where it says so",
    arguments: ["HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n", "HTTP/1.0 204 No\r\n\r\n"])
  func last(_ text: String) throws {
    #expect(try #require(Self.complete(text)).isLast)
  }

  @Test(
    "What only looks like a response is none, and no number does harm",
    arguments: [
      "x\n", "SSH-2.0\n", "HTTP/2 200\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 099 OK\r\n", "HTTP/1.1 -20 OK\r\n", "\r\n",
      "HTTP/1.1 200 OK\r\nno field\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    ])
  func malformed(_ text: String) {
    #expect(Self.read(text).0 == .malformed)
  }

  @Test("What has no end isn't read for ever")
  func endless() {
    let long = String(repeating: "x", count: ResponseReader.maximumLength)
    let interim = String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 4000)
    for text in [
      "HTTP/1.1 200 \(long)", "HTTP/1.1 200 OK\r\nX: \(long)", interim,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;\(long)",
    ] {
      #expect(Self.read(text).0 == .malformed)
    }
  }

  @Test("Any bytes at all come to an end")
  func noise() {
    let pieces = [
      "HTTP/1.1 ", "200", "100", "101", " ", "\r\n", "\n", "Content-Length:", "Transfer-Encoding: chunked", "-1", "5",
      "ffffffffffffffff", "0", ";", ":", "Connection: close", "\0", "é",
    ]
    for _ in 0..<20_000 {
      _ = Self.read((0..<Int.random(in: 0...12)).map { _ in pieces.randomElement()! }.joined(), closed: .random())
    }
  }
}
