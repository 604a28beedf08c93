import Glibc
import RoostConfiguration

/// The file of a unix socket that the master has bound.
struct SocketFile: Codable {
  let path: String
  let device: dev_t
  let inode: ino_t

  /// The file as it is now, or nil if it is gone already.
  init?(path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    self.path = path
    device = status.st_dev
    inode = status.st_ino
  }

  /// The file that was found with this identity before.
  init(path: String, device: dev_t, inode: ino_t) {
    self.path = path
    self.device = device
    self.inode = inode
  }

  /// Removes the file, unless somebody has put another in its place.
  func remove() {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
    unlink(path)
  }

  /// Whether the file is what a dead process left behind. A socket that somebody listens on is never taken away.
  static func isStale(_ path: String, for wanted: ListenerConfiguration) throws(MasterError) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0 else { return errno == ENOENT }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw MasterError("cannot listen on \(wanted.name)=\(wanted.address): the file exists and is no socket")
    }
    let isRefused = connectionError(path) == ECONNREFUSED
    // The caller's own failure is told if it isn't stale.
    errno = EADDRINUSE
    return isRefused
  }

  /// Whether nobody listens where the path leads to, if it leads anywhere.
  static func isDead(_ path: String) -> Bool {
    switch connectionError(path) {
    case ECONNREFUSED, ENOENT: true
    default: false
    }
  }

  /// Why a connection can't be made, or 0. Without waiting: a full accept queue (EAGAIN) says that somebody listens as well
  /// as an accepted connection does.
  private static func connectionError(_ path: String) -> Int32 {
    let number = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard number >= 0 else { return errno }
    let descriptor = Descriptor(adopting: number)
    return SocketAddress(unix: path).connect(descriptor) ? 0 : errno
  }
}
