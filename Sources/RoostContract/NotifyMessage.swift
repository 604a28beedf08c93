/// One datagram to a worker's notify socket: newline-separated assignments (sd_notify(3)).
///
/// Assignments that the master doesn't know are ignored, as the protocol asks for. So are those that a worker has no
/// say in, such as `MAINPID=` and `FDSTORE=1`.
package struct NotifyMessage: Equatable, Sendable {
  /// The largest datagram that is read, in bytes; as in systemd, a larger one is dropped whole.
  package static let maximumLength = 4096
  /// The most descriptors that one datagram can carry (`SCM_MAX_FD` in unix(7)).
  package static let maximumDescriptors = 253

  /// `READY=1`
  package var isReady = false
  /// `STOPPING=1`
  package var isStopping = false
  /// `WATCHDOG=1`
  package var isAlive = false
  /// `BARRIER=1`, which must be the only assignment of its datagram.
  package var isBarrier = false
  /// `STATUS=`, without control characters.
  package var status: String?
  /// `EXTEND_TIMEOUT_USEC=`, in microseconds.
  package var extendTimeoutMicroseconds: UInt64?
  /// `X_ROOST_RELOAD=1`: the worker asks for a reload of the whole service.
  package var requestsReload = false

  package init() {}

  /// Why a datagram was dropped.
  package enum Malformed: Error, Equatable {
    /// There is nothing in it.
    case empty
    /// It is longer than `maximumLength`.
    case tooLong
    /// There is a NUL byte before its end.
    case embeddedNUL
    /// It isn't UTF-8.
    case notText
  }

  /// Reads a datagram. One trailing NUL byte is allowed.
  package init(parsing datagram: some Collection<UInt8>) throws(Malformed) {
    guard datagram.count <= Self.maximumLength else { throw .tooLong }
    var bytes = Array(datagram)
    if bytes.last == 0 { bytes.removeLast() }
    guard !bytes.isEmpty else { throw .empty }
    guard !bytes.contains(0) else { throw .embeddedNUL }
    guard String(validating: bytes, as: UTF8.self) != nil else { throw .notText }
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    if lines.count == 1, lines[0].elementsEqual("BARRIER=1".utf8) {
      isBarrier = true
      return
    }
    for line in lines { apply(line) }
  }

  /// Compares bytes: a takeover waits for this, and comparing strings would normalise them.
  private mutating func apply(_ assignment: ArraySlice<UInt8>) {
    func value(of name: StaticString) -> ArraySlice<UInt8>? {
      name.withUTF8Buffer { name in
        assignment.starts(with: name) && assignment.dropFirst(name.count).first == UInt8(ascii: "=")
          ? assignment.dropFirst(name.count + 1) : nil
      }
    }
    func isTrue(_ value: ArraySlice<UInt8>) -> Bool { value.elementsEqual([UInt8(ascii: "1")]) }

    if let value = value(of: "READY") {
      isReady = isTrue(value)
    } else if let value = value(of: "STOPPING") {
      isStopping = isTrue(value)
    } else if let value = value(of: "WATCHDOG") {
      isAlive = isTrue(value)
    } else if let value = value(of: "X_ROOST_RELOAD") {
      requestsReload = isTrue(value)
    } else if let value = value(of: "EXTEND_TIMEOUT_USEC") {
      extendTimeoutMicroseconds = UInt64(String(decoding: value, as: UTF8.self))
    } else if let value = value(of: "STATUS") {
      let text = String(decoding: value, as: UTF8.self)
      status = String(String.UnicodeScalarView(text.unicodeScalars.filter { !$0.properties.isControl }))
    }
  }
}

extension NotifyMessage {
  package var datagram: [UInt8] {
    var lines: [String] = []
    if isReady { lines.append("READY=1") }
    if isStopping { lines.append("STOPPING=1") }
    if isAlive { lines.append("WATCHDOG=1") }
    if isBarrier { lines.append("BARRIER=1") }
    if let status { lines.append("STATUS=\(status)") }
    if let extendTimeoutMicroseconds { lines.append("EXTEND_TIMEOUT_USEC=\(extendTimeoutMicroseconds)") }
    if requestsReload { lines.append("X_ROOST_RELOAD=1") }
    return Array(lines.joined(separator: "\n").utf8)
  }
}

extension Unicode.Scalar.Properties {
  /// A control or format character: one that could move a terminal's cursor or break a line of the log.
  fileprivate var isControl: Bool { generalCategory == .control || generalCategory == .format }
}
