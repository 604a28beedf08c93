import Glibc
import RoostConfiguration
import RoostMaster

/// What became of a request that wasn't answered.
enum RequestFailure: Error, Hashable {
  case notConnected(Int32)
  /// The connection was closed or reset before the first byte of an answer.
  case closed
  /// It was closed or reset within the answer.
  case cut
  case timedOut
  case notHTTP
  case status(Int)

  var text: String {
    switch self {
    case .notConnected(ECONNREFUSED): "the connection was refused"
    case .notConnected(let number): "no connection: \(String(cString: strerror(number)))"
    case .closed: "the connection was closed before the answer"
    case .cut: "the connection was closed within the answer"
    case .timedOut: "no answer in time"
    case .notHTTP: "the answer is no HTTP"
    case .status(let status): "status \(status)"
    }
  }
}

/// A connection of a client that speaks HTTP/1.1, blocking.
final class HTTPConnection {
  private let number: Int32
  private var buffer: [UInt8] = []

  init(to address: TrialAddress, patience: Duration) throws(RequestFailure) {
    do {
      number = try address.connect(patience: patience)
    } catch {
      throw .notConnected(error.number)
    }
  }

  deinit {
    close(number)
  }

  /// Whether the server has closed it, as it may while no request is on its way.
  var isClosedByServer: Bool {
    var byte: UInt8 = 0
    let count = recv(number, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
    return count == 0 || count < 0 && errno != EAGAIN && errno != EINTR
  }

  /// One request and its answer. Whether the server says that it is the last one.
  func ask(_ path: String, keepAlive: Bool = true) throws(RequestFailure) -> Bool {
    let connection = keepAlive ? "keep-alive" : "close"
    let request = Array(
      "GET \(path) HTTP/1.1\r\nHost: localhost\r\nUser-Agent: roost-doctor\r\nAccept: */*\r\nConnection: \(connection)\r\n\r\n"
        .utf8)
    // What can't be sent is seen as the end of the answers.
    _ = send(number, request, request.count, Int32(MSG_NOSIGNAL))
    var head = try readHead()
    // 1xx: more follows.
    while (100..<200).contains(head.status) { head = try readHead() }
    try readBody(head)
    if head.status >= 500 { throw .status(head.status) }
    return head.isLast
  }

  private func readHead() throws(RequestFailure) -> ResponseHead {
    let end = Array("\r\n\r\n".utf8)
    while true {
      if let range = buffer.firstRange(of: end) {
        let text = String(decoding: buffer[..<range.lowerBound], as: UTF8.self)
        buffer.removeSubrange(..<range.upperBound)
        guard let head = ResponseHead(text) else { throw .notHTTP }
        return head
      }
      guard try readMore(asFirst: buffer.isEmpty) else { throw buffer.isEmpty ? .closed : .cut }
    }
  }

  private func readBody(_ head: ResponseHead) throws(RequestFailure) {
    switch head.body {
    case .none: break
    case .length(let length): try skip(length)
    case .chunks: try readChunks()
    case .untilClose: while try readMore() { buffer = [] }
    }
  }

  private func readChunks() throws(RequestFailure) {
    while true {
      let line = try readLine()
      guard let length = Int(line.prefix { $0 != ";" && $0 != " " }, radix: 16) else { throw .notHTTP }
      if length == 0 { break }
      try skip(length + 2)
    }
    // Trailers, up to an empty line.
    while !(try readLine()).isEmpty {}
  }

  private func readLine() throws(RequestFailure) -> String {
    while true {
      if let range = buffer.firstRange(of: [13, 10]) {
        defer { buffer.removeSubrange(..<range.upperBound) }
        return String(decoding: buffer[..<range.lowerBound], as: UTF8.self)
      }
      guard try readMore() else { throw .cut }
    }
  }

  private func skip(_ length: Int) throws(RequestFailure) {
    var rest = length
    while rest > buffer.count {
      rest -= buffer.count
      buffer = []
      guard try readMore() else { throw .cut }
    }
    buffer.removeFirst(rest)
  }

  /// Whether there was more.
  private func readMore(asFirst: Bool = false) throws(RequestFailure) -> Bool {
    var part = [UInt8](repeating: 0, count: 8192)
    while true {
      let count = recv(number, &part, part.count, 0)
      if count < 0, errno == EINTR { continue }
      if count < 0 { throw errno == EAGAIN ? .timedOut : asFirst ? .closed : .cut }
      buffer += part[..<count]
      return count > 0
    }
  }
}

/// What the head of an answer says.
private struct ResponseHead {
  enum Body {
    case none
    case length(Int)
    case chunks
    case untilClose
  }

  let status: Int
  /// Whether the server closes the connection after it.
  let isLast: Bool
  let body: Body

  init?(_ text: String) {
    let lines = text.split(separator: "\r\n")
    let words = (lines.first ?? "").split(separator: " ")
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return nil }
    self.status = status
    var length: Int?
    var isChunked = false
    var connection = words[0] == "HTTP/1.0" ? "close" : "keep-alive"
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      let value = parts[1].drop { $0 == " " }.lowercased()
      switch parts[0].lowercased() {
      case "content-length": length = Int(value)
      case "transfer-encoding": isChunked = value.hasSuffix("chunked")
      case "connection": connection = value
      default: break
      }
    }
    if status == 204 || status == 304 || (100..<200).contains(status) {
      body = .none
    } else if isChunked {
      body = .chunks
    } else {
      body = length.map(Body.length) ?? .untilClose
    }
    if case .untilClose = body { isLast = true } else { isLast = connection.contains("close") }
  }
}
