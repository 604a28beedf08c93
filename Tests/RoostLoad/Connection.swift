import Glibc
import RoostHTTPResponse

/// One connection to the server, blocking.
final class Connection {
  /// What a response says that is counted.
  struct Response {
    let isLast: Bool
    let generation: String?
    let pid: String?
  }

  private let descriptor: Int32

  init(to target: Target) throws(Failure) {
    descriptor = try target.connect()
  }

  deinit {
    close(descriptor)
  }

  /// Whether the server has closed the connection already, as it may while it is idle.
  var isClosedByServer: Bool {
    var byte: UInt8 = 0
    return recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0
  }

  /// Sends a request and reads the whole response.
  func get(_ path: String, keepAlive: Bool) throws(Failure) -> Response {
    let connection = keepAlive ? "keep-alive" : "close"
    let request = Array("GET \(path) HTTP/1.1\r\nHost: roost\r\nConnection: \(connection)\r\n\r\n".utf8)
    let sent = uninterrupted { send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) }
    guard sent == request.count else {
      throw Failure("send: \(errorName())")
    }
    let head = try readResponse()
    guard head.status == 200 else { throw Failure("status \(head.status)") }
    return Response(isLast: head.isLast, generation: head.field("x-generation"), pid: head.field("x-pid"))
  }

  private func readResponse() throws(Failure) -> ResponseHead {
    var reader = ResponseReader()
    var part = [UInt8](repeating: 0, count: 8192)
    while true {
      let what = reader.hasBegun ? "the end of the answer" : "the answer"
      let count = uninterrupted { recv(descriptor, &part, part.count, 0) }
      if count < 0 { throw Failure("waiting for \(what): \(errorName())") }
      // Nothing was asked that could be answered after it.
      switch count == 0 ? reader.close() : reader.read(part[..<count]).0 {
      case .complete(let head): return head
      case .malformed: throw Failure("an answer that is no HTTP")
      case .incomplete: if count == 0 { throw Failure("closed before \(what)") }
      }
    }
  }
}
