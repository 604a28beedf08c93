/// The beginning of an answer in HTTP/1, as far as a probe needs it.
public enum ProbeResponse: Hashable, Sendable {
  /// The status line isn't complete yet.
  case incomplete
  /// The answer has this status.
  case status(Int)
  /// This is no HTTP/1.
  case malformed

  /// No status line is longer.
  public static let maximumLength = 512

  /// Reads what has come until now.
  public init(parsing bytes: ArraySlice<UInt8>) {
    let prefix = Array("HTTP/1.".utf8)
    guard bytes.prefix(prefix.count).elementsEqual(prefix.prefix(bytes.count)) else {
      self = .malformed
      return
    }
    guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
      self = bytes.count < Self.maximumLength ? .incomplete : .malformed
      return
    }
    // HTTP/1.1 200 OK; the reason may be missing.
    let words = bytes[..<end].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }
    guard words.count >= 2, words[0].count == prefix.count + 1, words[1].count == 3,
      words[1].allSatisfy({ (0x30...0x39).contains($0) })
    else {
      self = .malformed
      return
    }
    self = .status(words[1].reduce(0) { $0 * 10 + Int($1 - 0x30) })
  }
}
