import CRoostMaster
import Glibc

/// A connection on which another process sends.
enum Stream {
  /// Takes what has come, without waiting. Returns how much it was, 0 at the end, or -1 with errno. Not read(2): the
  /// kernel closes descriptors that came along and aren't taken, and a socket among them may linger for as long as its
  /// sender has set. There is no reason to pass one here: a client that does is no longer heard.
  static func receive(_ number: Int32, into buffer: inout [UInt8]) -> Int {
    var part = roost_datagram()
    guard roost_receive(number, &buffer, buffer.count, !PassedDescriptors.areUnclosed, &part) == 0 else { return -1 }
    guard part.descriptor_count > 0 else { return part.length }
    PassedDescriptors.close(&part, from: PassedDescriptors.stranger)
    errno = EBUSY
    return -1
  }
}
