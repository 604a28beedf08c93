import CRoostSpawn
import Glibc
import Testing

@Suite("Copies of the master")
struct ForkTests {
  /// Whether a client is refused by a listener that was closed after a copy of this process was made.
  private static func isRefused() -> Bool {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        guard bind(listener, address, length) == 0, getsockname(listener, address, &length) == 0,
          listen(listener, 1) == 0
        else { return false }
        let pid = roost_fork(STDERR_FILENO)
        if pid == 0 { _exit(0) }
        close(listener)
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let isRefused = pid > 0 && connect(client, address, length) == -1 && errno == ECONNREFUSED
        close(client)
        waitpid(pid, nil, 0)
        return isRefused
      }
    }
  }

  @Test("What is closed after a copy was made is closed: whoever connects is refused")
  func closed() throws {
    // In a copy itself: other tests of this process fork as well. There is one thread in it, and nothing allocates.
    let pid = roost_fork(STDERR_FILENO)
    if pid == 0 {
      for _ in 0..<100 where !Self.isRefused() { _exit(1) }
      _exit(0)
    }
    try #require(pid > 0)
    var status: Int32 = -1
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    #expect(status == 0)
  }
}
