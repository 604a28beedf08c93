import CRoostSpawn
import Glibc
import Testing

@Suite("Copies of the master")
struct ForkTests {
  @Test("What is closed after a copy was made is closed: whoever connects is refused")
  func closed() throws {
    for _ in 0..<200 {
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let (bound, named) = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          (bind(listener, $0, length), getsockname(listener, $0, &length))
        }
      }
      try #require(bound == 0 && named == 0 && listen(listener, 1) == 0)
      let pid = roost_fork(STDERR_FILENO)
      // Nothing of Swift's in the copy: this process has other threads.
      if pid == 0 { _exit(0) }
      try #require(pid > 0)
      close(listener)
      let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, length) }
      }
      #expect(connected == -1 && errno == ECONNREFUSED)
      close(client)
      waitpid(pid, nil, 0)
    }
  }
}
