/// The beginning of an answer in HTTP/1, as far as a probe needs it.
package enum ProbeResponse: Hashable, Sendable {
  /// The status line isn't complete yet.
  case incomplete
  /// The answer has this status.
  case status(Int)
  /// This is no HTTP/1.
  case malformed

  /// No status line is longer.
  package static let maximumLength = 512
  /// What comes before the answer, such as early hints, isn't longer.
  package static let maximumInterimLength = 16384

  /// Reads what has come until now.
  package init(parsing bytes: ArraySlice<UInt8>) {
    var rest = bytes
    while true {
      self = Self.line(rest)
      // What isn't final comes before the answer, and as often as the server likes (RFC 9110, 15.2). A switch of protocols
      // is final: whatever follows is no HTTP/1.
      guard case .status(let status) = self, (100..<200).contains(status), status != 101 else { return }
      let end = Self.end(of: rest)
      guard (end ?? bytes.endIndex) - bytes.startIndex < Self.maximumInterimLength else {
        self = .malformed
        return
      }
      self = .incomplete
      guard let end else { return }
      rest = rest[end...]
    }
  }

  /// The status line at the beginning.
  private static func line(_ bytes: ArraySlice<UInt8>) -> ProbeResponse {
    let prefix = Array("HTTP/1.".utf8)
    guard bytes.prefix(prefix.count).elementsEqual(prefix.prefix(bytes.count)) else { return .malformed }
    guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
      return bytes.count < maximumLength ? .incomplete : .malformed
    }
    // HTTP/1.1 200 OK; the reason may be missing.
    let words = bytes[..<end].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }
    guard words.count >= 2, words[0].count == prefix.count + 1, words[1].count == 3,
      words[1].allSatisfy({ (0x30...0x39).contains($0) })
    else { return .malformed }
    return .status(words[1].reduce(0) { $0 * 10 + Int($1 - 0x30) })
  }

  /// Where a head ends, after its empty line; nil if that hasn't come.
  private static func end(of head: ArraySlice<UInt8>) -> Int? {
    var start = head.startIndex
    while let end = head[start...].firstIndex(of: UInt8(ascii: "\n")) {
      let line = head[start..<end]
      if line.isEmpty || line.elementsEqual([UInt8(ascii: "\r")]) { return end + 1 }
      start = end + 1
    }
    return nil
  }
}
