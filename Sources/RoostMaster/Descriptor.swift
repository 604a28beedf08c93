import CRoostMaster
import Glibc

/// An open file descriptor, owned by this.
struct Descriptor: ~Copyable {
  let number: Int32

  init(adopting number: Int32) {
    self.number = number
  }

  /// False in a process whose descriptors are copies of those that another process keeps using.
  nonisolated(unsafe) static var mayShutDown = true

  /// To be called before a socket on which strangers may send is closed for good: unread messages may hold descriptors,
  /// which the kernel closes with the socket, and closing them may make the process that does so wait.
  func shutDown() {
    if Self.mayShutDown { roost_prepare_close(number) }
  }

  deinit {
    close(number)
  }
}

extension Descriptor {
  /// Makes a socket; nil with errno if that fails. Listeners block unless configured otherwise, as systemd passes sockets
  /// too: the flag is shared with every process that holds the socket, so the master never changes it later.
  static func socket(_ family: Int32, _ type: __socket_type, isNonblocking: Bool = true) -> Descriptor? {
    let flags = SOCK_CLOEXEC.rawValue | (isNonblocking ? SOCK_NONBLOCK.rawValue : 0)
    let number = Glibc.socket(family, Int32(type.rawValue | flags), 0)
    return number < 0 ? nil : Descriptor(adopting: number)
  }

  borrowing func status() throws(FileError) -> stat {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw .failed(errno) }
    return status
  }

  /// All that is left to be read, up to a length; nil with errno if it can't be read.
  borrowing func readAll(atMost limit: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 8192)
    while true {
      let count = read(number, &part, min(part.count, limit - bytes.count))
      if count < 0, errno == EINTR { continue }
      if count < 0 { return nil }
      if count == 0 { return bytes }
      bytes += part[..<count]
    }
  }
}
