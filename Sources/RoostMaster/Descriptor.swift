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
