import Glibc

/// One connection to the server, blocking.
final class Connection {
  /// What a response says that is counted.
  struct Response {
    var status = 0
    var isLast = false
    var generation: String?
    var pid: String?
  }

  private let descriptor: Int32
  private var buffer: [UInt8] = []

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
    let head = try readHead()
    var response = Response()
    response.status = head.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    var length: Int?
    for line in head.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      let value = parts[1].drop { $0 == " " }
      switch parts[0].lowercased() {
      case "content-length": length = Int(value)
      case "connection": response.isLast = value.lowercased() == "close"
      case "x-generation": response.generation = String(value)
      case "x-pid": response.pid = String(value)
      default: break
      }
    }
    guard let length else { throw Failure("a response without a length") }
    try readBody(length)
    guard response.status == 200 else { throw Failure("status \(response.status)") }
    return response
  }

  private func readHead() throws(Failure) -> [String] {
    let end: [UInt8] = [13, 10, 13, 10]
    while true {
      if let range = buffer.firstRange(of: end) {
        let text = String(decoding: buffer[..<range.lowerBound], as: UTF8.self)
        buffer.removeSubrange(..<range.upperBound)
        return text.split(separator: "\r\n").map(String.init)
      }
      try readMore(buffer.isEmpty ? "the answer" : "the end of the head")
    }
  }

  private func readBody(_ length: Int) throws(Failure) {
    while buffer.count < length { try readMore("the end of the body") }
    buffer.removeSubrange(..<length)
  }

  private func readMore(_ what: String) throws(Failure) {
    var part = [UInt8](repeating: 0, count: 8192)
    let count = uninterrupted { recv(descriptor, &part, part.count, 0) }
    if count == 0 { throw Failure("closed before \(what)") }
    if count < 0 { throw Failure("waiting for \(what): \(errorName())") }
    buffer += part[..<count]
  }
}
