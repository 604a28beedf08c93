import Glibc
import RoostConfiguration
import RoostHTTPResponse
import RoostMaster

/// What became of a request that wasn't answered.
enum RequestFailure: Error, Hashable {
  case notConnected(Int32)
  /// The connection was closed or reset before the first byte of an answer.
  case closed
  /// It was closed or reset in the middle of the answer.
  case cut
  case timedOut
  case notHTTP
  case status(Int)

  var text: String {
    switch self {
    case .notConnected(ECONNREFUSED): "the connection was refused"
    case .notConnected(let number): "no connection: \(String(cString: strerror(number)))"
    case .closed: "the connection was closed before the answer"
    case .cut: "the connection was closed in the middle of the answer"
    case .timedOut: "no answer in time"
    case .notHTTP: "the answer isn't HTTP"
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

  /// One request and its answer. Returns whether the server says that it is the last one.
  func ask(_ path: String, keepAlive: Bool = true) throws(RequestFailure) -> Bool {
    let connection = keepAlive ? "keep-alive" : "close"
    let request = Array(
      "GET \(path) HTTP/1.1\r\nHost: localhost\r\nUser-Agent: roost-doctor\r\nAccept: */*\r\nConnection: \(connection)\r\n\r\n"
        .utf8)
    // What can't be sent shows as the end of the answers.
    _ = send(number, request, request.count, Int32(MSG_NOSIGNAL))
    let head = try readResponse()
    if head.status >= 500 { throw .status(head.status) }
    return head.isLast
  }

  private func readResponse() throws(RequestFailure) -> ResponseHead {
    var reader = ResponseReader()
    var reading = ResponseReader.Reading.incomplete
    while true {
      if !buffer.isEmpty {
        let count: Int
        (reading, count) = reader.read(buffer[...])
        buffer.removeFirst(count)
      }
      switch reading {
      case .complete(let head): return head
      case .malformed: throw .notHTTP
      case .incomplete: break
      }
      guard !(try readMore(asFirst: !reader.hasBegun)) else { continue }
      // For some answers that is the end.
      if case .complete(let head) = reader.close() { return head }
      throw reader.hasBegun ? .cut : .closed
    }
  }

  /// Returns whether there was more.
  private func readMore(asFirst: Bool) throws(RequestFailure) -> Bool {
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
