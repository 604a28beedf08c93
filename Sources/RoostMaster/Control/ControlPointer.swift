import Glibc
import RoostControl
import RoostLog

/// A symbolic link to the control socket, in the directory that systemd made for the service, for a socket that is
/// elsewhere: the unit's `ExecReload=` and commands by name look there. It shows the way whatever the configuration
/// says by now.
final class ControlPointer {
  private let path: String
  private let target: String
  private let log: Log
  private var identity: FileIdentity?

  /// Makes the link. nil if there is none to make. If it can't be made, commands have to name the directory.
  init?(to directory: String, isRestored: Bool = false, _ log: Log) {
    guard let usual = ControlPlace.runtimeDirectoryOfMaster(), usual != directory else { return nil }
    path = "\(usual)/\(ControlPlace.socketName)"
    target = "\(directory)/\(ControlPlace.socketName)"
    self.log = log
    // After an upgrade it is made once that has succeeded, and not in its rehearsal.
    if !isRestored { renew() }
  }

  deinit {
    // Another master may have put its own in its place.
    if let identity, let place = try? FilePlace(path) { place.directory.remove(place.name, identity) }
  }

  /// Makes the link if it isn't there.
  func renew() {
    do {
      let place = try FilePlace(path)
      // As after an upgrade, or when a master was killed.
      if place.directory.target(of: place.name) == target {
        identity = place.directory.identity(of: place.name)
        return
      }
      identity = nil
      // It isn't taken from a living master; what a killed one has left gives way.
      let kind = place.directory.status(of: place.name).map { $0.st_mode & S_IFMT }
      guard kind == nil || kind == S_IFLNK || kind == S_IFSOCK, SocketFile.isDead(path) else {
        return log.warning("\(path) is in use: commands need --control-directory")
      }
      try make(place)
    } catch {
      log.warning("cannot link \(path) to \(target): \(error.reason); commands need --control-directory")
    }
  }

  private func make(_ place: borrowing FilePlace) throws(FileError) {
    let target = target
    try place.directory.replace(place.name) { directory, temporary throws(FileError) in
      var status = stat()
      guard symlinkat(target, directory, temporary) == 0,
        fstatat(directory, temporary, &status, AT_SYMLINK_NOFOLLOW) == 0
      else { throw .failed(errno) }
      return FileIdentity(status)
    }
    identity = place.directory.identity(of: place.name)
  }
}
