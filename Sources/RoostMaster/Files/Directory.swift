import CRoostMaster
import Glibc

/// A directory that is held open: operations happen in it, whatever becomes of its path meanwhile. None of them follows
/// a link.
struct Directory: ~Copyable {
  let path: String
  /// Those that can replace a directory on the path of this one: using the path again may lead somewhere else.
  let outsiders: Outsiders
  private let descriptor: Descriptor

  /// Opens it. A master that runs as root only follows root's own links: a user that may change another link could make
  /// root write and delete wherever it leads. A directory of another user that isn't a link only leads to what is that
  /// user's.
  init(_ path: String) throws(FileError) {
    self.path = path
    var outsiders = Outsiders()
    descriptor = try PathWalk.open(path, &outsiders)
    self.outsiders = outsiders
  }

  /// What a name stands for, or nil if there is nothing.
  func status(of name: String) -> stat? {
    var status = stat()
    return fstatat(descriptor.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status : nil
  }

  func identity(of name: String) -> FileIdentity? { status(of: name).map(FileIdentity.init) }

  /// Opens what a name stands for, to look at it or to act on it by descriptor. It neither waits nor changes anything.
  func look(at name: String) throws(FileError) -> Descriptor {
    let number = roost_look(descriptor.number, name)
    guard number >= 0 else { throw .failed(errno) }
    return Descriptor(adopting: number)
  }

  /// Opens a file. It never waits: a FIFO in its place opens or fails at once.
  func open(_ name: String, _ flags: Int32, mode: mode_t = 0) throws(FileError) -> Descriptor {
    let number = openat(descriptor.number, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode)
    guard number >= 0 else { throw errno == ELOOP ? .refused("it is a symbolic link") : .failed(errno) }
    return Descriptor(adopting: number)
  }

  /// Makes the directory of a path, below one that is there. Returns whether it is new.
  static func make(_ path: String) throws(FileError) -> Bool {
    let place = try FilePlace(path)
    // Users that may use the control socket have to get there, whatever the umask of the shell from which root started
    // the master.
    let error = FileMask.with(0o022) { mkdirat(place.directory.descriptor.number, place.name, 0o755) == 0 ? 0 : errno }
    guard error == 0 || error == EEXIST else { throw .failed(error) }
    return error == 0
  }

  /// Whether this process may remove anything. One that only rehearses an upgrade may not: what it has taken over isn't
  /// its own, and is given up with every part that turns out not to work. Set before there is anything to give up.
  nonisolated(unsafe) static var mayRemove = true

  /// Removes a file if it is this one. Returns whether it was.
  @discardableResult
  func remove(_ name: String, _ identity: FileIdentity) -> Bool {
    guard Self.mayRemove else { return false }
    return self.identity(of: name) == identity && unlinkat(descriptor.number, name, 0) == 0
  }

  /// Gives a file another name, replacing whatever has that name.
  func rename(_ name: String, to other: String) {
    if Self.mayRemove { renameat(descriptor.number, name, descriptor.number, other) }
  }

  /// Removes a directory if it is empty.
  func removeDirectory(_ name: String) {
    if Self.mayRemove { unlinkat(descriptor.number, name, AT_REMOVEDIR) }
  }

  /// Where a symbolic link leads, or nil if it isn't one.
  func target(of name: String) -> String? {
    Self.target(descriptor.number, name).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The same, with errno.
  static func target(_ directory: Int32, _ name: UnsafePointer<CChar>) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = buffer.withUnsafeMutableBytes {
      readlinkat(directory, name, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    return count < 0 ? nil : Array(buffer[..<count])
  }

  /// Makes a file whole or not at all, replacing whatever has the name: `make` makes it under another name that can't
  /// be guessed, and returns what it made. If no other user may write there, that name can be `chosen`: what a killed
  /// process has left under it gives way.
  func replace(
    _ name: String, by chosen: String? = nil,
    _ make: (_ directory: Int32, _ temporary: String) throws(FileError) -> FileIdentity
  ) throws(FileError) {
    let temporary = chosen ?? ".\(name).\(String(UInt64.random(in: .min ... .max), radix: 36))"
    if chosen != nil { unlinkat(descriptor.number, temporary, 0) }
    let identity = try make(descriptor.number, temporary)
    guard renameat(descriptor.number, temporary, descriptor.number, name) == 0 else {
      let error = errno
      remove(temporary, identity)
      throw .failed(error)
    }
    guard self.identity(of: name) == identity else { throw .refused("it was replaced right after it was created") }
  }

  /// Writes a file whole or not at all, with these permissions whatever the umask, and returns it, open. `isSafe` if it
  /// is to survive a crash of the host: that takes time.
  func write(
    _ bytes: [UInt8], to name: String, by chosen: String? = nil, mode: mode_t, isSafe: Bool = false
  ) throws(FileError) -> Descriptor {
    var file: Descriptor?
    try replace(name, by: chosen) { directory, temporary throws(FileError) in
      let new = try open(temporary, O_RDWR | O_CREAT | O_EXCL, mode: mode)
      guard fchmod(new.number, mode) == 0, Handover.write(bytes, to: new.number), !isSafe || fsync(new.number) == 0,
        let identity = FileIdentity(of: new)
      else {
        let error = errno
        unlinkat(directory, temporary, 0)
        throw .failed(error)
      }
      file = consume new
      return identity
    }
    if isSafe {
      // The name, too, has to survive.
      let entry = try open(".", O_RDONLY | O_DIRECTORY)
      guard fsync(entry.number) == 0 else { throw .failed(errno) }
    }
    return file.take()!
  }

  /// Why it can't be trusted with what must not be replaced, in words.
  var objection: String? {
    guard let status = try? descriptor.status() else { return errorText(errno) }
    if !Outsiders.isOwn(status) { return "it belongs to user \(status.st_uid)" }
    // With the sticky bit only its owner can replace a file (inode(7)).
    if status.st_mode & S_ISVTX == 0 {
      if status.st_mode & S_IWOTH != 0 { return "everybody may write to it" }
      if status.st_mode & S_IWGRP != 0, status.st_gid != getegid() { return "group \(status.st_gid) may write to it" }
    }
    return outsiders.words.map { "\($0) can replace a directory on its path" }
  }

  /// The group of a file that is made in it (inode(7)).
  var groupOfNewFiles: gid_t {
    guard let status = try? descriptor.status(), status.st_mode & S_ISGID != 0 else { return getegid() }
    return status.st_gid
  }
}

/// A name in a directory that is held open.
struct FilePlace: ~Copyable {
  let directory: Directory
  let name: String

  /// The place of an absolute path. The file itself need not exist.
  init(_ path: String) throws(FileError) {
    let slash = UInt8(ascii: "/")
    // A directory's path may end with a slash.
    let path = path.utf8.reversed().drop { $0 == slash }.reversed()
    let end = path.lastIndex(of: slash) ?? path.startIndex
    name = String(decoding: path[end...].drop { $0 == slash }, as: UTF8.self)
    directory = try Directory("/" + String(decoding: path[..<end], as: UTF8.self))
  }
}
