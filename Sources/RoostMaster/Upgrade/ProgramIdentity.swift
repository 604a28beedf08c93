import Glibc

/// Which file a program is, and in which state: its path may lead elsewhere by now, and the file may have changed.
struct ProgramIdentity: Equatable {
  let device: dev_t
  let inode: ino_t
  private let changedSeconds: Int
  private let changedNanoseconds: Int

  /// The file that a path leads to; nil if it leads nowhere.
  init?(of path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = status.st_dev
    inode = status.st_ino
    changedSeconds = status.st_ctim.tv_sec
    changedNanoseconds = status.st_ctim.tv_nsec
  }
}
