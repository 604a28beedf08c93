/// The head of an HTTP answer.
package enum ScrapeReply: Hashable, Sendable {
  /// Text in this format.
  case text(Exposition.Format)
  /// Not a request.
  case badRequest
  /// Only metrics are here.
  case notFound
  /// Nothing can be changed here.
  case methodNotAllowed
  /// The request is too long.
  case tooLarge

  package static let path = "/metrics"

  package init(to request: ScrapeRequest) {
    if request.path != Self.path {
      self = .notFound
    } else if request.method != "GET" && request.method != "HEAD" {
      self = .methodNotAllowed
    } else {
      self = .text(request.format)
    }
  }

  private var status: String {
    switch self {
    case .text: "200 OK"
    case .badRequest: "400 Bad Request"
    case .notFound: "404 Not Found"
    case .methodNotAllowed: "405 Method Not Allowed"
    case .tooLarge: "431 Request Header Fields Too Large"
    }
  }

  /// The text for people, if there are no metrics.
  package var explanation: String {
    switch self {
    case .text: ""
    case .badRequest: "This request can't be answered.\n"
    case .notFound: "The metrics are at \(Self.path).\n"
    case .methodNotAllowed: "The metrics can only be read.\n"
    case .tooLarge: "The request is longer than \(ScrapeReader.maximumLength) bytes.\n"
    }
  }

  /// The head, for a body of this length. The connection ends with the answer: scrapes are rare, and then no idle
  /// client costs the master anything.
  package func head(length: Int) -> String {
    let type: String
    switch self {
    case .text(let format): type = format.contentType
    case .badRequest, .notFound, .methodNotAllowed, .tooLarge: type = "text/plain; charset=utf-8"
    }
    let allowed = self == .methodNotAllowed ? "Allow: GET, HEAD\r\n" : ""
    return "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(length)\r\n\(allowed)"
      + "Vary: Accept\r\nConnection: close\r\n\r\n"
  }
}
