import CRoostMaster
import Glibc

/// An open file descriptor, which this owns.
struct Descriptor: ~Copyable {
  let number: Int32

  init(adopting number: Int32) {
    self.number = number
  }

  /// False in a process that has copies of what another one goes on with.
  nonisolated(unsafe) static var mayShutDown = true

  /// To be called before a socket is closed for good on which strangers may send: among what nobody has read may be descriptors,
  /// which the kernel closes with it, and these may make whoever does that wait.
  func shutDown() {
    if Self.mayShutDown { roost_prepare_close(number) }
  }

  deinit {
    close(number)
  }
}
