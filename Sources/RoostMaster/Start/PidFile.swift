import Glibc

/// The file in which other tools find the master's pid. It stays open: meanwhile no other file can be taken for it.
final class PidFile {
  let path: String
  private var descriptor: Descriptor

  /// Writes the pid whole or not at all: a reader never sees half a number. Whatever has the name is replaced.
  init(_ path: String) throws(MasterError) {
    self.path = path
    descriptor = try Self.write(path)
  }

  /// Takes over what an upgrade has handed over. A version that kept it closed has left only the file itself.
  init(restoring saved: SavedDescriptor?, _ path: String) throws(MasterError) {
    self.path = path
    if let saved {
      descriptor = saved.adopt()
    } else if let found = Self.found(path) {
      descriptor = found
    } else {
      descriptor = try Self.write(path)
    }
  }

  var saved: SavedDescriptor { SavedDescriptor(descriptor) }

  /// Writes it again if it is gone. Returns why it had to.
  func renew() throws(MasterError) -> String? {
    let missing: String
    switch owner {
    case .this: return nil
    case .nobody: missing = "is gone"
    case .somethingElse: missing = "was another file"
    case .process(let pid):
      throw MasterError("the pid file \(path) now belongs to process \(pid): only one of the two can have it")
    }
    descriptor = try Self.write(path)
    return "\(path) \(missing)"
  }

  /// Removes the file if it still belongs to this process.
  func remove() {
    guard case .this = owner, let place = try? FilePlace(path), let identity = FileIdentity(of: descriptor) else {
      return
    }
    place.directory.remove(place.name, identity)
  }

  private enum Owner {
    case this
    case nobody
    /// A running process.
    case process(pid_t)
    case somethingElse
  }

  private var owner: Owner {
    guard let place = try? FilePlace(path), let found = place.directory.identity(of: place.name) else { return .nobody }
    // It may have been overwritten as well as replaced.
    if found == FileIdentity(of: descriptor), Self.pid(in: descriptor) == getpid() { return .this }
    guard let file = try? place.directory.open(place.name, O_RDONLY), let pid = Self.pid(in: file), pid != getpid(),
      kill(pid, 0) == 0 || errno == EPERM
    else { return .somethingElse }
    return .process(pid)
  }

  /// The file of a former version of this process.
  private static func found(_ path: String) -> Descriptor? {
    guard let place = try? FilePlace(path), let file = try? place.directory.open(place.name, O_RDONLY),
      pid(in: file) == getpid()
    else { return nil }
    return file
  }

  /// The pid that a regular file contains.
  private static func pid(in file: borrowing Descriptor) -> pid_t? {
    guard let status = try? file.status(), status.st_mode & S_IFMT == S_IFREG else { return nil }
    var content = [UInt8](repeating: 0, count: 32)
    let count = pread(file.number, &content, content.count, 0)
    guard count > 0, let line = content[..<count].split(separator: 0x0a, omittingEmptySubsequences: false).first else {
      return nil
    }
    return pid_t(String(decoding: line, as: UTF8.self)).flatMap { $0 > 0 ? $0 : nil }
  }

  private static func write(_ path: String) throws(MasterError) -> Descriptor {
    do {
      let place = try FilePlace(path)
      // For monitors of any user.
      return try place.directory.write(Array("\(getpid())\n".utf8), to: place.name, mode: 0o644)
    } catch {
      throw MasterError(cannot: "write the pid file \(path)", error)
    }
  }
}
