import RoostMetrics
import Testing

@Suite("Requests of scrapers")
struct ScrapeRequestTests {
  private static func read(_ text: String) -> ScrapeReader.Reading {
    var reader = ScrapeReader()
    return reader.read(Array(text.utf8))
  }

  private static func request(_ text: String) throws -> ScrapeRequest {
    guard case .complete(let request) = read(text) else {
      Issue.record("no request: \(text)")
      throw CancellationError()
    }
    return request
  }

  private static let whole = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\n\r\n"

  @Test("A request is read, and what follows it is ignored")
  func request() throws {
    let request = try Self.request(Self.whole + "\u{0}\n rubbish")
    #expect(request.method == "GET" && request.path == "/metrics" && request.format == .openMetrics)
  }

  @Test("Every beginning of a request is incomplete, and the parts in which it comes don't matter")
  func parts() throws {
    let bytes = Array(Self.whole.utf8)
    for count in 0..<bytes.count {
      var reader = ScrapeReader()
      #expect(reader.read(bytes[..<count]) == .incomplete)
      #expect(reader.read(bytes[count...]) == Self.read(Self.whole))
    }
    var single = ScrapeReader()
    for byte in bytes.dropLast() { #expect(single.read([byte]) == .incomplete) }
    #expect(single.read([bytes.last!]) == Self.read(Self.whole))
  }

  @Test(
    "What is no request is told as soon as that is certain",
    arguments: [
      "\r\n\r\n", "GET /metrics HTTP/1.0\n", "GET /metrics\r\n\r\n", "GET  /metrics HTTP/1.0\r\n\r\n",
      "\u{16}\u{3}\u{1}",
      "GET metrics HTTP/1.0\r\n\r\n", "GET /metrics HTTP/2.0\r\n\r\n", "G(T /metrics HTTP/1.0\r\n\r\n",
      "GET /\rmetrics",
      "GET /metrics HTTP/1.1\r\n\r\n", "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /m\u{0}",
      "GET /metrics HTTP/1.0\r\nno colon\r\n\r\n", "GET /metrics HTTP/1.0\r\nA: b\r\n folded\r\n\r\n",
      "GET /metrics HTTP/1.0\r\nA : b\r\n\r\n", "GET /metrics HTTP/1.0\r\n: b\r\n\r\n", "GET /mé HTTP/1.0\r\n\r\n",
      "GET http:// HTTP/1.0\r\n\r\n", "GET http:///metrics HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n",
      "GET /a b HTTP/1.0\r\n\r\n",
    ])
  func malformed(text: String) {
    #expect(Self.read(text) == .malformed)
  }

  @Test("A proxy may send the whole address")
  func absolute() throws {
    #expect(try Self.request("GET HTTP://a:9100/metrics?a HTTP/1.1\r\nhOST: a\r\n\r\n").path == "/metrics")
  }

  @Test("A request may have 8192 bytes and not one more")
  func length() throws {
    func text(of length: Int) -> String {
      let start = "GET /metrics HTTP/1.0\r\nA: "
      return start + String(repeating: "b", count: length - start.utf8.count - 4) + "\r\n\r\n"
    }
    #expect(text(of: 8192).utf8.count == 8192)
    _ = try Self.request(text(of: 8192))
    #expect(Self.read(text(of: 8193)) == .tooLarge)
    #expect(Self.read(String(repeating: "G", count: 8193)) == .tooLarge)
    #expect(Self.read(String(repeating: "G", count: 8192)) == .incomplete)
  }

  @Test(
    "OpenMetrics is for those who ask for it",
    arguments: [
      ("application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true),
      ("text/plain, Application/OpenMetrics-Text ; version=1.0.0", true), ("*/*", false), ("", false),
      ("text/html", false),
      ("application/openmetrics-text;q=0, text/plain", false), ("application/openmetrics-text; q=0.000", false),
      ("application/openmetrics-textile", false), (",;,", false),
    ])
  func format(accept: String, isOpenMetrics: Bool) throws {
    let request = try Self.request("GET /metrics HTTP/1.0\r\nAccept: \(accept)\r\n\r\n")
    #expect(request.format == (isOpenMetrics ? .openMetrics : .prometheus))
  }

  @Test("Without the header it is the older format")
  func noHeader() throws {
    #expect(try Self.request("GET /metrics HTTP/1.0\r\n\r\n").format == .prometheus)
  }

  @Test("Each request gets what it is due")
  func replies() throws {
    func reply(_ line: String) throws -> ScrapeReply { ScrapeReply(to: try Self.request(line + " HTTP/1.0\r\n\r\n")) }
    #expect(try reply("GET /metrics") == .text(.prometheus))
    #expect(try reply("HEAD /metrics") == .text(.prometheus))
    #expect(try reply("POST /metrics") == .methodNotAllowed)
    #expect(try reply("get /metrics") == .methodNotAllowed)
    for path in ["/", "/metrics/", "/Metrics", "/..//metrics", "/metric"] {
      #expect(try reply("GET \(path)") == .notFound)
    }
  }

  @Test("A head says how long the body is and that nothing follows")
  func head() {
    #expect(
      ScrapeReply.methodNotAllowed.head(length: 7)
        == "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 7\r\n"
        + "Allow: GET, HEAD\r\nVary: Accept\r\nConnection: close\r\n\r\n")
    #expect(
      ScrapeReply.text(.openMetrics).head(length: 0).contains("openmetrics-text; version=1.0.0; charset=utf-8\r\n"))
  }

  @Test("Whatever comes, in whatever parts, it is told the same and never more than the limit is kept")
  func fuzz() {
    var chance = Chance(seed: 20260)
    let seeds = [Self.whole, "HEAD http://h/metrics HTTP/1.0\r\nAccept: a;q=0,b\r\nX: \r\n\r\n", "\r\n"].map {
      Array($0.utf8)
    }
    for round in 0..<20000 {
      var bytes = seeds[Int(chance.next() % 3)]
      for _ in 0..<(chance.next() % 4) {
        let place = Int(chance.next() % UInt64(bytes.count + 1))
        switch chance.next() % 4 {
        case 0: bytes.insert(UInt8(truncatingIfNeeded: chance.next()), at: place)
        case 1: bytes.removeSubrange(place..<min(bytes.count, place + Int(chance.next() % 5)))
        case 2: bytes.insert(contentsOf: bytes.prefix(Int(chance.next() % 40)), at: place)
        default: if place < bytes.count { bytes[place] ^= 1 << UInt8(chance.next() % 8) }
        }
      }
      if round % 100 == 0 { bytes += [UInt8](repeating: UInt8(ascii: "x"), count: 9000) }
      var whole = ScrapeReader()
      let expected = whole.read(bytes)
      var inParts = ScrapeReader()
      var reading = ScrapeReader.Reading.incomplete
      var rest = bytes[...]
      while reading == .incomplete, !rest.isEmpty {
        let part = rest.prefix(Int(1 + chance.next() % 7))
        rest = rest.dropFirst(part.count)
        reading = inParts.read(part)
      }
      #expect(reading == expected, "round \(round): \(bytes)")
      if bytes.count > 8192 { #expect(reading != .incomplete) }
    }
  }
}

/// SplitMix64: the same numbers on every run.
struct Chance {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
