import CRoostMaster
import Glibc

/// The way to the supervisor above: the datagram socket that `NOTIFY_SOCKET` names (sd_notify(3)). libsystemd's own
/// function waits if that isn't read, and a stopped systemd would stop the master.
struct UpstreamSocket {
  enum Outcome: Equatable {
    case sent
    /// The receiver has to read first: it is worth trying again when the socket is writable.
    case full
    /// It can't be sent, with this error number; perhaps later.
    case failed(Int32)
    /// `NOTIFY_SOCKET` is this, which isn't an address.
    case nowhere(String)
  }

  private let path: String
  private let address: SocketAddress?
  private var socket: SharedSocket?
  private var isConnected = false

  /// The socket that the environment names, or nil if it names none.
  init?() {
    guard let path = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), !path.isEmpty else { return nil }
    self.path = path
    address = Self.address(of: path)
  }

  private static func address(of path: String) -> SocketAddress? {
    guard path.utf8.count <= 107 else { return nil }
    switch path.utf8.first {
    case UInt8(ascii: "/"): return SocketAddress(unix: path)
    case UInt8(ascii: "@"): return SocketAddress(abstract: String(Substring(path.utf8.dropFirst())))
    default: return nil
    }
  }

  /// To be watched until it is writable; nil as long as there is no connection.
  var number: Int32? { isConnected ? socket?.descriptor.number : nil }

  /// Sends a message, or says why it can't be sent now. Never waits.
  mutating func send(_ message: UpstreamMessage) -> Outcome {
    guard let address else { return .nowhere(path) }
    var outcome = attempt(message, address)
    // The receiver may have recreated its socket since.
    if case .failed(ECONNREFUSED) = outcome {
      isConnected = false
      outcome = attempt(message, address)
    }
    return outcome
  }

  private mutating func attempt(_ message: UpstreamMessage, _ address: SocketAddress) -> Outcome {
    if !isConnected, let error = connect(address) { return .failed(error) }
    guard let number else { return .failed(EBADF) }
    let passed = message.socket?.descriptor.number ?? -1
    let bytes = Array(message.assignments.utf8)
    if roost_send_datagram(number, bytes, bytes.count, passed) == 0 { return .sent }
    return errno == EAGAIN ? .full : .failed(errno)
  }

  /// The error number, if it fails.
  private mutating func connect(_ address: SocketAddress) -> Int32? {
    if socket == nil {
      guard let descriptor = Descriptor.socket(AF_UNIX, SOCK_DGRAM) else { return errno }
      socket = SharedSocket(adopting: descriptor)
    }
    guard let number = socket?.descriptor.number else { return EBADF }
    isConnected = address.connect(number)
    return isConnected ? nil : errno
  }
}
