import Glibc

/// Which socket it is, whatever its number in a process.
package struct SocketIdentity: Hashable, Sendable {
  /// The file system that sockets live in, as the kernel writes it.
  package let device: UInt64
  /// Its number there.
  package let inode: UInt64

  package init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }

  /// The socket that a descriptor of this process stands for.
  package init?(of descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
    // stat(2) and fdinfo pack a device's major and minor number differently. Sockets have no major number, so that both
    // are the same; another kernel might give them one.
    let major = (status.st_dev >> 8) & 0xfff
    let minor = (status.st_dev & 0xff) | ((status.st_dev >> 12) & 0xfff00)
    self.init(device: UInt64(major << 20 | minor), inode: UInt64(status.st_ino))
  }
}
