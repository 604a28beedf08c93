import Glibc
import RoostControl

/// The lock that keeps two masters of one name apart: a file beside the control socket. It holds for as long as it is open.
final class ControlLock {
  private let directory: String
  private let service: String
  private var descriptor: Descriptor
  /// Whether the directory is to be removed in the end.
  private(set) var madeDirectory: Bool

  /// The outcome of an attempt to take it.
  private enum Attempt: ~Copyable {
    case locked(Descriptor, madeDirectory: Bool)
    case held(by: String)
  }

  /// Makes the directory if it isn't there, and takes the lock in it.
  init(in directory: String, service: String) throws(MasterError) {
    self.directory = directory
    self.service = service
    switch try Self.take(in: directory) {
    case .locked(let lock, let isNew):
      descriptor = lock
      madeDirectory = isNew
    case .held(let pid):
      throw MasterError(
        "the service \(service) is already running: process \(pid) has locked \(Self.path(in: directory)); --name"
          + " gives this one another name")
    }
  }

  /// Takes over what an upgrade has handed over. The lock belongs to the open file, so it was held throughout.
  init(restoring saved: SavedDescriptor, in directory: String, service: String, madeDirectory: Bool) {
    self.directory = directory
    self.service = service
    self.madeDirectory = madeDirectory
    descriptor = saved.adopt()
  }

  var saved: SavedDescriptor { SavedDescriptor(descriptor) }

  private var path: String { Self.path(in: directory) }

  private static func path(in directory: String) -> String { "\(directory)/\(ControlPlace.lockName)" }

  /// Takes the lock again if its file is gone: a second master would find none. Returns whether it had to.
  func renew() throws(MasterError) -> Bool {
    if let directory = try? Directory(directory), Self.isFile(descriptor, in: directory) { return false }
    switch try Self.take(in: directory) {
    case .locked(let lock, let isNew):
      descriptor = lock
      madeDirectory = madeDirectory || isNew
      return true
    case .held(let pid):
      throw MasterError(
        "two masters of the service \(service) are running: process \(pid) has locked \(path) since this one's lock was"
          + " removed; one of them has to be stopped")
    }
  }

  /// Removes the file, unless it now belongs to another master, and with it the directory if this master made it.
  func remove() {
    // While it is held: a master that has opened it sees that it is gone, and makes another.
    guard let place = try? FilePlace(directory), let directory = try? Directory(directory),
      let identity = FileIdentity(of: descriptor), directory.remove(ControlPlace.lockName, identity), madeDirectory
    else { return }
    place.directory.removeDirectory(place.name)
  }

  // MARK: Taking it

  /// An ending master removes the file and the directory, perhaps between any two steps of this.
  private static func take(in directory: String) throws(MasterError) -> Attempt {
    let path = path(in: directory)
    var isNew = false
    for _ in 0..<10 {
      if try make(directory) { isNew = true }
      do throws(FileError) {
        let opened = try Directory(directory)
        if let objection = opened.objection {
          throw .refused(
            "its directory can't be trusted, because \(objection): the lock and the socket could be replaced there")
        }
        // A master of the same user can open what a killed one has left, whatever its umask was.
        let lock = try FileMask.with(0) { () throws(FileError) -> Descriptor in
          try opened.open(ControlPlace.lockName, O_RDWR | O_CREAT, mode: 0o600)
        }
        try check(lock)
        if let pid = try holder(of: lock) { return .held(by: pid) }
        if isFile(lock, in: opened) { return .locked(lock, madeDirectory: isNew) }
      } catch .failed(ENOENT) {
        continue
      } catch {
        throw MasterError(cannot: "lock \(path)", error, hint: "--control-directory names another place")
      }
    }
    throw MasterError("cannot lock \(path): it is removed again and again")
  }

  /// Makes the directory, and the one above it, which all services share, such as /run/roost. Returns whether it is
  /// new.
  private static func make(_ directory: String) throws(MasterError) -> Bool {
    do {
      do {
        return try Directory.make(directory)
      } catch .failed(ENOENT) {
        let path = directory.utf8.split(separator: UInt8(ascii: "/")).dropLast().map { String(Substring($0)) }
        _ = try Directory.make("/" + path.joined(separator: "/"))
        return try Directory.make(directory)
      }
    } catch {
      throw MasterError(
        cannot: "make \(directory) for the control socket", error, hint: "--control-directory names another place")
    }
  }

  private static func isFile(_ lock: borrowing Descriptor, in directory: borrowing Directory) -> Bool {
    FileIdentity(of: lock).map { $0 == directory.identity(of: ControlPlace.lockName) } ?? false
  }

  /// What another user has put there is only opened for this: it is neither written nor believed.
  private static func check(_ lock: borrowing Descriptor) throws(FileError) {
    let status = try lock.status()
    guard status.st_mode & S_IFMT == S_IFREG else { throw .refused("it isn't a regular file") }
    guard status.st_uid == 0 || status.st_uid == geteuid() else {
      throw .refused("it belongs to user \(status.st_uid)")
    }
  }

  /// Locks the file and writes this process's id into it, or returns that of the process that has it.
  private static func holder(of lock: borrowing Descriptor) throws(FileError) -> String? {
    guard flock(lock.number, LOCK_EX | LOCK_NB) == 0 else {
      guard errno == EWOULDBLOCK else { throw .failed(errno) }
      var content = [UInt8](repeating: 0, count: 16)
      let count = max(0, pread(lock.number, &content, content.count, 0))
      return String(decoding: content[..<count].prefix { $0 != 0x0a }, as: UTF8.self)
    }
    let line = Array("\(getpid())\n".utf8)
    guard ftruncate(lock.number, 0) == 0, pwrite(lock.number, line, line.count, 0) == line.count else {
      throw .failed(errno)
    }
    return nil
  }
}
