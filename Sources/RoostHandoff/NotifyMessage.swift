/// One datagram to a worker's notify socket: newline-separated assignments (sd_notify(3)).
///
/// Assignments that the master doesn't know are ignored, as the protocol asks for. So are those that a worker has no
/// say in, such as `MAINPID=` and `FDSTORE=1`.
public struct NotifyMessage: Equatable, Sendable {
  /// The largest datagram that is read, in bytes; as in systemd, a larger one is dropped whole.
  public static let maximumLength = 4096
  /// The most descriptors that one datagram can carry (`SCM_MAX_FD` in unix(7)).
  public static let maximumDescriptors = 253

  /// `READY=1`
  public var isReady = false
  /// `STOPPING=1`
  public var isStopping = false
  /// `WATCHDOG=1`
  public var isAlive = false
  /// `BARRIER=1`, which must be the only assignment of its datagram.
  public var isBarrier = false
  /// `STATUS=`, without control characters.
  public var status: String?
  /// `EXTEND_TIMEOUT_USEC=`, in microseconds.
  public var extendTimeoutMicroseconds: UInt64?
  /// `X_ROOST_RELOAD=1`: the worker asks for a reload of the whole service.
  public var requestsReload = false

  /// A message that says nothing.
  public init() {}

  /// Why a datagram was dropped.
  public enum Malformed: Error, Equatable {
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
  public init(parsing datagram: some Collection<UInt8>) throws(Malformed) {
    guard datagram.count <= Self.maximumLength else { throw .tooLong }
    var bytes = Array(datagram)
    if bytes.last == 0 { bytes.removeLast() }
    guard !bytes.isEmpty else { throw .empty }
    guard !bytes.contains(0) else { throw .embeddedNUL }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .notText }
    let lines = text.split(separator: "\n")
    if lines == ["BARRIER=1"] {
      isBarrier = true
      return
    }
    for line in lines { apply(line) }
  }

  private mutating func apply(_ assignment: Substring) {
    guard let equals = assignment.firstIndex(of: "=") else { return }
    let value = assignment[assignment.index(after: equals)...]
    switch assignment[..<equals] {
    case "READY": isReady = value == "1"
    case "STOPPING": isStopping = value == "1"
    case "WATCHDOG": isAlive = value == "1"
    case "X_ROOST_RELOAD": requestsReload = value == "1"
    case "EXTEND_TIMEOUT_USEC": extendTimeoutMicroseconds = UInt64(value)
    case "STATUS": status = String(String.UnicodeScalarView(value.unicodeScalars.filter { !$0.properties.isControl }))
    default: return
    }
  }
}

extension NotifyMessage {
  /// The datagram that says this.
  public var datagram: [UInt8] {
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
