/// Finds the request in what comes over a connection, whatever parts it comes in. Each byte is looked at once: a client
/// that sends them one by one costs no more.
package struct ScrapeReader: Hashable, Sendable {
  /// What has come so far.
  package enum Reading: Hashable, Sendable {
    /// The beginning of a request.
    case incomplete
    /// More than a request may have.
    case tooLarge
    /// Not a request, whatever follows.
    case malformed
    /// A request. Whatever follows it is ignored.
    case complete(ScrapeRequest)
  }

  /// The most bytes of request line and header fields.
  package static let maximumLength = 8192

  private var bytes: [UInt8] = []
  private var lineStart = 0

  package init() {}

  /// Takes what has come now. Not to be called again after anything but `incomplete`.
  package mutating func read(_ more: some Collection<UInt8>) -> Reading {
    for byte in more {
      guard bytes.count < Self.maximumLength else { return .tooLarge }
      let isEnd = bytes.last == Byte.carriageReturn
      guard isEnd ? byte == Byte.lineFeed : Byte.isText(byte) || byte == Byte.carriageReturn else { return .malformed }
      bytes.append(byte)
      guard isEnd else { continue }
      if bytes.count - lineStart == 2 { return request() }
      lineStart = bytes.count
    }
    return .incomplete
  }

  /// The last line is empty: what comes before it is all there is.
  private func request() -> Reading {
    let lines = bytes[..<lineStart].split(separator: Byte.carriageReturn, omittingEmptySubsequences: false).dropLast()
      .map {
        $0.first == Byte.lineFeed ? $0.dropFirst() : $0
      }
    return ScrapeRequest(lines: lines).map(Reading.complete) ?? .malformed
  }
}
