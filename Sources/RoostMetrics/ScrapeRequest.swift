/// What a scraper asks over HTTP/1 (RFC 9112), as far as it matters. Strict: what isn't certainly a request isn't one.
package struct ScrapeRequest: Hashable, Sendable {
  /// Such as `GET`.
  package let method: String
  /// Without a query.
  package let path: String
  /// What is welcome as an answer.
  package let format: Exposition.Format

  /// Reads request line and header fields, without their ends.
  init?(lines: [ArraySlice<UInt8>]) {
    guard let first = lines.first else { return nil }
    let words = first.split(separator: Byte.space, omittingEmptySubsequences: false)
    guard words.count == 3, Byte.isToken(words[0]), let path = Self.path(words[1]) else { return nil }
    let isFirst = words[2].elementsEqual("HTTP/1.0".utf8)
    guard isFirst || words[2].elementsEqual("HTTP/1.1".utf8) else { return nil }
    var hosts = 0
    var accepted: [ArraySlice<UInt8>] = []
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: Byte.colon), Byte.isToken(line[..<colon]) else { return nil }
      if Byte.areEqual(line[..<colon], "host") { hosts += 1 }
      if Byte.areEqual(line[..<colon], "accept") { accepted.append(line[(colon + 1)...]) }
    }
    guard hosts == 1 || isFirst && hosts == 0 else { return nil }
    method = String(decoding: words[0], as: UTF8.self)
    self.path = path
    format = accepted.contains(where: AcceptHeader.asksForOpenMetrics) ? .openMetrics : .prometheus
  }

  /// The path of a request's target, which a proxy may send with its scheme and host.
  private static func path(_ target: ArraySlice<UInt8>) -> String? {
    guard target.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
    var rest = target
    if Byte.areEqual(rest.prefix(7), "http://") {
      rest = rest.dropFirst(7)
      guard let slash = rest.firstIndex(of: Byte.slash), slash > rest.startIndex else { return nil }
      rest = rest[slash...]
    }
    guard rest.first == Byte.slash else { return nil }
    return String(decoding: rest.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
  }
}

/// The header `Accept` (RFC 9110, 12.5.1).
enum AcceptHeader {
  /// Whether one of its media ranges is that of OpenMetrics, and isn't excluded by its weight.
  static func asksForOpenMetrics(_ value: ArraySlice<UInt8>) -> Bool {
    value.split(separator: UInt8(ascii: ",")).contains { range in
      let parts = range.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).map(Byte.trimmed)
      return Byte.areEqual(parts[0], "application/openmetrics-text") && !parts.dropFirst().contains(where: isZeroWeight)
    }
  }

  private static func isZeroWeight(_ part: ArraySlice<UInt8>) -> Bool {
    guard Byte.areEqual(part.prefix(2), "q="), part.count > 2 else { return false }
    return part.dropFirst(2).allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
  }
}

/// Bytes rather than characters: a request is ASCII, and Unicode's tables stay out of memory.
enum Byte {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0a
  static let carriageReturn: UInt8 = 0x0d
  static let space: UInt8 = 0x20
  static let slash = UInt8(ascii: "/")
  static let colon = UInt8(ascii: ":")

  /// Whether it may be within a line.
  static func isText(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7f || byte == tab }

  /// Whether it is a token (RFC 9110, 5.6.2).
  static func isToken(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.isEmpty
      && bytes.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
      }
  }

  /// Whether they are this text, in upper or lower case. The text is in lower case.
  static func areEqual(_ bytes: ArraySlice<UInt8>, _ text: StaticString) -> Bool {
    text.withUTF8Buffer { text in
      bytes.count == text.count
        && zip(bytes, text).allSatisfy { $0 == $1 || (0x41...0x5a).contains($0) && $0 | 0x20 == $1 }
    }
  }

  static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var rest = bytes.drop { $0 == space || $0 == tab }
    while let last = rest.last, last == space || last == tab { rest.removeLast() }
    return rest
  }
}
