import CRoostLinux
import Glibc

/// A connection on which somebody else sends.
enum Stream {
  /// Takes what has come, without waiting. Returns how much it was, 0 at the end, or -1 with errno. Not read(2): the kernel closes
  /// descriptors that came along and that nobody takes, and a socket among them may linger for as long as its sender has said.
  static func receive(_ number: Int32, into buffer: inout [UInt8]) -> Int {
    var part = roost_datagram()
    // As long as somebody is heard the number is theirs; those of notify sockets begin above all numbers.
    let sender = UInt64(number)
    guard !PassedDescriptors.areUnclosed else { return refused() }
    guard roost_receive(number, &buffer, buffer.count, &part) == 0 else { return -1 }
    PassedDescriptors.close(&part, from: sender)
    if part.descriptor_count > 0, PassedDescriptors.areTooMany(from: sender) { return refused() }
    return part.length
  }

  private static func refused() -> Int {
    errno = EMFILE
    return -1
  }
}
