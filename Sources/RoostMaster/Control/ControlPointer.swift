import Glibc
import RoostControl
import RoostLog

/// A symbolic link to the control socket, in the directory that systemd has made for the service, where the socket itself
/// is elsewhere: the unit's `ExecReload=` and commands by name look there. It shows the way whatever the configuration
/// says by now.
final class ControlPointer {
  private let path: String
  private let target: String

  /// Makes the link. Nil where there is none to be made, or none can be: then commands have to name the directory.
  init?(to directory: String, _ log: Log) {
    guard let usual = ControlPlace.runtimeDirectoryOfMaster(), usual != directory else { return nil }
    path = "\(usual)/\(ControlPlace.socketName)"
    target = "\(directory)/\(ControlPlace.socketName)"
    // As after an upgrade, or when a master was killed.
    if isThere { return }
    // Not taken from a master that is there; what one has left that was killed gives way.
    guard SocketFile.isDead(path) else {
      log.warning("\(path) is in use: commands need --control-directory")
      return nil
    }
    let temporary = "\(path).\(getpid())"
    guard symlink(target, temporary) == 0, rename(temporary, path) == 0 else {
      let error = errno
      unlink(temporary)
      log.warning("cannot link \(path) to \(target): \(errorText(error)); commands need --control-directory")
      return nil
    }
  }

  deinit {
    // Another may have put its own in its place.
    if isThere { unlink(path) }
  }

  private var isThere: Bool {
    var buffer = [CChar](repeating: 0, count: target.utf8.count + 1)
    let count = readlink(path, &buffer, buffer.count)
    return count == target.utf8.count && strncmp(buffer, target, count) == 0
  }
}
