import Glibc

/// Which file it is, whatever its name. As long as a process has it open, or a socket is bound to it, no other file
/// gets the same identity.
struct FileIdentity: Hashable, Codable {
  let device: dev_t
  let inode: ino_t

  init(_ status: stat) {
    device = status.st_dev
    inode = status.st_ino
  }

  init(device: dev_t, inode: ino_t) {
    self.device = device
    self.inode = inode
  }

  init?(of descriptor: borrowing Descriptor) {
    guard let status = try? descriptor.status() else { return nil }
    self.init(status)
  }
}
