import Glibc

/// Where the server listens.
struct Target: Sendable {
  private let storage: sockaddr_storage
  private let length: socklen_t

  /// Reads `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`.
  init?(_ text: String) {
    var storage = sockaddr_storage()
    func store<A>(_ address: A, _ size: Int) {
      withUnsafeBytes(of: address) { bytes in withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: bytes) } }
    }
    if text.hasPrefix("unix:") {
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      let path = Array(text.utf8.dropFirst(5)) + [0]
      guard path.count <= MemoryLayout.size(ofValue: address.sun_path) else { return nil }
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
      store(address, MemoryLayout<sockaddr_un>.size)
      length = socklen_t(MemoryLayout<sockaddr_un>.size)
    } else {
      guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
        return nil
      }
      let host = text[..<colon]
      if host.hasPrefix("[") {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        guard inet_pton(AF_INET6, String(host.dropFirst().dropLast()), &address.sin6_addr) == 1 else { return nil }
        store(address, MemoryLayout<sockaddr_in6>.size)
        length = socklen_t(MemoryLayout<sockaddr_in6>.size)
      } else {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, String(host), &address.sin_addr) == 1 else { return nil }
        store(address, MemoryLayout<sockaddr_in>.size)
        length = socklen_t(MemoryLayout<sockaddr_in>.size)
      }
    }
    self.storage = storage
  }

  /// A connected socket that gives up after thirty seconds: a machine may stand still for a while.
  func connect() throws(Failure) -> Int32 {
    let descriptor = socket(Int32(storage.ss_family), Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw Failure("socket: \(errorName())") }
    var patience = timeval(tv_sec: 30, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
    // Again on a TCP socket that is connecting, Linux goes on to wait for it.
    let result = withUnsafePointer(to: storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        uninterrupted { Glibc.connect(descriptor, address, length) }
      }
    }
    guard result == 0 else {
      let failure = Failure("connect: \(errorName())")
      close(descriptor)
      throw failure
    }
    return descriptor
  }
}

/// Why a request failed.
struct Failure: Error {
  let reason: String

  init(_ reason: String) {
    self.reason = reason
  }
}

/// Calls again after an interruption: SIGCONT is one for calls with a timeout, even without a handler (signal(7)).
func uninterrupted<R: SignedInteger>(_ call: () -> R) -> R {
  while true {
    let result = call()
    if result != -1 || errno != EINTR { return result }
  }
}

func errorName() -> String { String(cString: strerror(errno)) }
