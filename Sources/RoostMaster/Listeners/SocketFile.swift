import CRoostMaster
import Glibc

/// The file of a unix socket. As long as the socket is open, no other file can be taken for it.
struct SocketFile: Codable {
  let path: String
  let device: dev_t
  let inode: ino_t

  enum Presence {
    case there
    case gone
    case another
    /// The master may not look.
    case unknown
  }

  /// The file of a bound socket, at the path where it should be. Throws if that is another file.
  init(of socket: borrowing Descriptor, at path: String) throws(FileError) {
    try self.init(of: socket, in: FilePlace(path), path)
  }

  private init(of socket: borrowing Descriptor, in place: borrowing FilePlace, _ path: String) throws(FileError) {
    let file = try place.directory.look(at: place.name)
    try Self.check(file, of: socket, in: place.directory)
    self.init(path: path, identity: FileIdentity(of: file)!)
  }

  private init(path: String, identity: FileIdentity) {
    self.path = path
    device = identity.device
    inode = identity.inode
  }

  private var identity: FileIdentity { FileIdentity(device: device, inode: inode) }

  /// Whether clients that connect to the path get to the socket. A look that follows no link and waits for nothing.
  var presence: Presence {
    var status = stat()
    guard lstat(path, &status) == 0 else { return [ENOENT, ENOTDIR].contains(errno) ? .gone : .unknown }
    return FileIdentity(status) == identity ? .there : .another
  }

  /// Why clients don't get to the socket, if they don't.
  var obstacle: String? {
    switch presence {
    case .there, .unknown: nil
    case .gone: "\(path) is gone"
    case .another: "\(path) is another file"
    }
  }

  /// Removes the file, unless another has taken its place.
  func remove() {
    guard presence != .gone, let place = try? FilePlace(path) else { return }
    place.directory.remove(place.name, identity)
  }

  /// Lets others use it. Throws if another file has taken its place.
  func allow(_ access: FileAccess) throws(FileError) {
    let place = try FilePlace(path)
    let file = try place.directory.look(at: place.name)
    guard FileIdentity(of: file) == identity else { throw .refused("it is another file now") }
    try access.apply(to: file)
  }

  // MARK: Binding

  /// Binds a socket to a path, where it may replace what a dead process has left. No client can connect to it yet; by
  /// the time it listens, its file has the right owner.
  static func bind(
    _ socket: borrowing Descriptor, to path: String, _ access: FileAccess
  ) throws(FileError) -> SocketFile {
    let place = try FilePlace(path)
    let outsiders = place.directory.outsiders
    // All users may use it only if that is configured.
    let mode = access.mode ?? 0o777 & ~(FileMask.current | S_IWOTH)
    if !bind(socket, path, mode, outsiders) {
      guard errno == EADDRINUSE else { throw error(errno, outsiders) }
      try clear(path, place)
      guard bind(socket, path, mode, outsiders) else { throw error(errno, outsiders) }
    }
    // bind(2) only knows paths. The owner of the directory may have moved it or the file since.
    let file = try place.directory.look(at: place.name)
    try check(file, of: socket, in: place.directory)
    let bound = SocketFile(path: path, identity: FileIdentity(of: file)!)
    do {
      if outsiders.rights != nil {
        // The user that owned it for a moment may have changed its permissions.
        try FileAccess(user: geteuid(), group: place.directory.groupOfNewFiles).apply(to: file)
        try FileAccess(mode: mode).apply(to: file)
      }
      try access.apply(to: file)
    } catch {
      bound.remove()
      throw error
    }
    return bound
  }

  /// The file has its permissions from the beginning: they are the socket's own, less the umask (unix(7)).
  private static func bind(
    _ socket: borrowing Descriptor, _ path: String, _ mode: mode_t, _ outsiders: Outsiders
  ) -> Bool {
    fchmod(socket.number, mode)
    return FileMask.with(0) { bind(socket, path, outsiders) }
  }

  /// The path is followed again. If others can make it lead somewhere else, that is done with their rights.
  private static func bind(_ socket: borrowing Descriptor, _ path: String, _ outsiders: Outsiders) -> Bool {
    let address = SocketAddress(unix: path)
    guard let (user, group) = outsiders.rights else { return address.bind(socket) }
    return address.bind(socket, user: user, group: group)
  }

  private static func error(_ number: Int32, _ outsiders: Outsiders) -> FileError {
    guard let whom = outsiders.words, [EACCES, EPERM, ENXIO].contains(number) else { return .failed(number) }
    // This is the error if a user namespace has no such user or group.
    let reason = number == ENXIO ? "this user namespace has no user without rights" : errorText(number)
    return .refused(
      "\(reason); \(whom) can replace a directory on its path, so it is created with no more rights than theirs;"
        + " give it a path on which all directories belong to root")
  }

  /// Removes what a dead process has left. A socket that a process listens on is never removed.
  private static func clear(_ path: String, _ place: borrowing FilePlace) throws(FileError) {
    guard let file = try? place.directory.look(at: place.name) else { return }
    let status = try file.status()
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .refused("the file exists and isn't a socket") }
    guard connectionError(file, path) == ECONNREFUSED else { throw .failed(EADDRINUSE) }
    // The file that was looked at, and no other that took its place meanwhile.
    place.directory.remove(place.name, FileIdentity(status))
  }

  /// Throws unless the file is the socket's.
  private static func check(
    _ file: borrowing Descriptor, of socket: borrowing Descriptor, in directory: borrowing Directory
  ) throws(FileError) {
    let status = try file.status()
    let other = FileError.refused("another file has taken the place of the socket's")
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw other }
    var inode = ino_t(0)
    if roost_unix_file(socket.number, &inode) == 0 {
      // The kernel reports its lower half.
      guard UInt32(truncatingIfNeeded: status.st_ino) == UInt32(truncatingIfNeeded: inode) else { throw other }
    } else if let objection = directory.objection {
      throw .refused(
        "the kernel doesn't report which file the socket has (sock_diag(7)), and its directory can't be trusted, "
          + "because " + objection)
    }
  }

  // MARK: Others' sockets

  /// Whether no process listens where the path leads, if it leads anywhere.
  static func isDead(_ path: String) -> Bool {
    switch connectionError(path) {
    case ECONNREFUSED, ENOENT: true
    default: false
    }
  }

  /// Whether a process listens where the path leads.
  static func isListening(_ path: String) -> Bool { [0, EAGAIN].contains(connectionError(path)) }

  /// The process that listens at a path, if one does.
  static func listener(at path: String) -> pid_t? {
    guard let client = Descriptor.socket(AF_UNIX, SOCK_STREAM), SocketAddress(unix: path).connect(client) else {
      return nil
    }
    var pid = pid_t(0)
    var uid = uid_t(0)
    var gid = gid_t(0)
    return roost_peer(client.number, &pid, &uid, &gid) == 0 ? pid : nil
  }

  /// Why a connection can't be made, or 0. It doesn't wait: a full accept queue (EAGAIN) shows as well as an accepted
  /// connection that a process listens.
  private static func connectionError(_ path: String) -> Int32 {
    guard let client = Descriptor.socket(AF_UNIX, SOCK_STREAM) else { return errno }
    return SocketAddress(unix: path).connect(client) ? 0 : errno
  }

  /// The same for a file that is open, whatever its path leads to by now.
  private static func connectionError(_ file: borrowing Descriptor, _ path: String) -> Int32 {
    let error = connectionError("/proc/self/fd/\(file.number)")
    // /proc is missing.
    return error == ENOENT || error == ENOTDIR ? connectionError(path) : error
  }
}
