/// Reads a response to a GET over HTTP/1 (RFC 9112), whatever the parts are in which it comes. Keeps the head and passes over
/// the body. Takes nothing on trust: what isn't certain to be a response is none, and no number in it can do harm.
package struct ResponseReader: Sendable {
  /// What has come so far.
  package enum Reading: Hashable, Sendable {
    /// The beginning of a response.
    case incomplete
    /// All of it.
    case complete(ResponseHead)
    /// No response, whatever follows.
    case malformed
  }

  /// The most bytes of the heads of a response, of those before it that aren't final, and of one line of its chunks.
  package static let maximumLength = 65536

  private enum Part {
    case head
    /// So many bytes are missing.
    case body(ResponseHead, Int)
    case chunkLength(ResponseHead)
    case chunk(ResponseHead, Int)
    case trailer(ResponseHead)
    case untilClose(ResponseHead)
    case complete(ResponseHead)
    case malformed
  }

  private var part = Part.head
  private var bytes: [UInt8] = []
  /// Where the line begins that is being read.
  private var lineStart = 0
  private var interimLength = 0

  package private(set) var hasBegun = false

  package init() {}

  /// Takes what has come now. Returns how many bytes belong to the response: what follows belongs to the next one.
  package mutating func read(_ more: ArraySlice<UInt8>) -> (Reading, count: Int) {
    var rest = more
    if !rest.isEmpty { hasBegun = true }
    while !rest.isEmpty {
      switch part {
      case .head: takeLine(&rest) { reader in reader.headLine() }
      case .body(let head, let length):
        let count = pass(&rest, length)
        part = count == length ? .complete(head) : .body(head, length - count)
      case .chunkLength(let head): takeLine(&rest) { reader in reader.chunkLine(head) }
      case .chunk(let head, let length):
        let count = pass(&rest, length)
        part = count == length ? .chunkLength(head) : .chunk(head, length - count)
      case .trailer(let head):
        takeLine(&rest) { reader in
          if reader.line.isEmpty { reader.part = .complete(head) } else { reader.forgetLine() }
        }
      case .untilClose: rest = rest[rest.endIndex...]
      case .complete, .malformed: return (reading, more.count - rest.count)
      }
    }
    return (reading, more.count)
  }

  /// The connection was closed: for some responses that is the end.
  package mutating func close() -> Reading {
    if case .untilClose(let head) = part { part = .complete(head) }
    return reading
  }

  private var reading: Reading {
    switch part {
    case .head, .body, .chunkLength, .chunk, .trailer, .untilClose: .incomplete
    case .complete(let head): .complete(head)
    case .malformed: .malformed
    }
  }

  private func pass(_ rest: inout ArraySlice<UInt8>, _ length: Int) -> Int {
    let count = min(length, rest.count)
    rest = rest.dropFirst(count)
    return count
  }

  // MARK: Lines

  /// The line that was read last, without its end.
  private var line: ArraySlice<UInt8> {
    let line = bytes[lineStart...].dropLast()
    return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
  }

  private mutating func forgetLine() {
    bytes = []
    lineStart = 0
  }

  private mutating func takeLine(_ rest: inout ArraySlice<UInt8>, _ taken: (inout ResponseReader) -> Void) {
    let end = rest.firstIndex(of: UInt8(ascii: "\n"))
    let more = end.map { rest[...$0] } ?? rest
    guard interimLength + bytes.count + more.count <= Self.maximumLength else { return part = .malformed }
    bytes += more
    rest = rest[more.endIndex...]
    if end != nil { taken(&self) }
  }

  private mutating func headLine() {
    // The first bytes tell that this is something else, such as TLS.
    guard !line.isEmpty else { return headEnded() }
    if lineStart == 0, ResponseHead.status(line) == nil { return part = .malformed }
    lineStart = bytes.count
  }

  private mutating func headEnded() {
    guard lineStart > 0, let head = ResponseHead(bytes[..<lineStart]) else { return part = .malformed }
    // Not final (RFC 9110, 15.2): another head follows. After a switch of protocols none does.
    if (100..<200).contains(head.status), head.status != 101 {
      interimLength += bytes.count
      return forgetLine()
    }
    forgetLine()
    switch head.body {
    case .none, .length(0): part = .complete(head)
    case .length(let length): part = .body(head, length)
    case .chunks: part = .chunkLength(head)
    case .untilClose: part = .untilClose(head)
    }
  }

  private mutating func chunkLine(_ head: ResponseHead) {
    let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
    guard let length = ResponseHead.number(digits, radix: 16) else { return part = .malformed }
    forgetLine()
    // With the end of the line that follows it.
    part = length == 0 ? .trailer(head) : .chunk(head, length + 2)
  }
}
