import Glibc
import RoostJSON

/// The record on disk: whole or not at all, and there when it was written. It has what workers get in their environment, so
/// nobody else may read it.
enum HistoryFile {
  static let name = "history.json"
  /// Whoever changes what is in it raises the number.
  private static let format = 1
  /// More is none of ours: a hundred generations with a megabyte of environment don't come near.
  private static let maximumLength = 16 << 20

  /// What is recorded in a directory; nil where nothing is.
  static func read(in path: String) throws(MasterError) -> History? {
    do throws(FileError) {
      let directory = try Directory(path)
      if let objection = directory.objection { throw .refused(objection) }
      let file = try directory.open(name, O_RDONLY)
      let json = try JSON.parsed(try bytes(of: file))
      guard case .integer(let number) = json["format"] else { throw .refused("it isn't the record of a service") }
      guard number == format else { throw .refused("it is of format \(number), and this version reads \(format)") }
      guard let history = json["history"], let read = try? history.decode(History.self), read.isSound else {
        throw .refused("it is damaged")
      }
      return read
    } catch .failed(ENOENT) {
      return nil
    } catch {
      throw MasterError(cannot: "read \(path)/\(name)", error)
    }
  }

  private static func bytes(of file: borrowing Descriptor) throws(FileError) -> [UInt8] {
    var status = stat()
    guard fstat(file.number, &status) == 0 else { throw .failed(errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .refused("it is no ordinary file") }
    guard Outsiders.isOwn(status) else { throw .refused("it belongs to user \(status.st_uid)") }
    guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else { throw .refused("others may write to it") }
    guard status.st_size <= maximumLength else { throw .refused("it is too long") }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var count = 0
    while count < bytes.count {
      let part = bytes.withUnsafeMutableBytes { pread(file.number, $0.baseAddress! + count, $0.count - count, count) }
      if part < 0, errno == EINTR { continue }
      guard part >= 0 else { throw .failed(errno) }
      if part == 0 { break }
      count += part
    }
    return Array(bytes[..<count])
  }

  /// Writes it, and waits until it is on disk: not for the master itself.
  static func write(_ history: History, in path: String) throws(MasterError) {
    do throws(FileError) {
      try make(path)
      let directory = try Directory(path)
      if let objection = directory.objection { throw .refused(objection) }
      let text: String
      do {
        text = JSON.object([.init("format", .integer(format)), .init("history", try JSON(encoding: history))]).text
      } catch {
        throw .refused("\(error)")
      }
      try directory.replace(name) { number, temporary throws(FileError) in
        let file = openat(number, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .failed(errno) }
        defer { close(file) }
        var status = stat()
        guard fchmod(file, 0o600) == 0, Handover.write(Array(text.utf8), to: file), fsync(file) == 0,
          fstat(file, &status) == 0
        else {
          let error = errno
          unlinkat(number, temporary, 0)
          throw .failed(error)
        }
        return FileIdentity(status)
      }
      // The name, too, has to outlive the host.
      let entry = try directory.open(".", O_RDONLY | O_DIRECTORY)
      guard fsync(entry.number) == 0 else { throw .failed(errno) }
    } catch {
      throw MasterError(cannot: "record in \(path)/\(name) what serves", error, hint: "see --state-directory")
    }
  }

  private static func make(_ path: String) throws(FileError) {
    let place = try FilePlace(path)
    _ = try place.directory.makeDirectory(place.name)
  }

  /// Puts aside what can't be used, so that it isn't lost with the next that is written.
  static func putAside(in path: String) {
    _ = renameat(AT_FDCWD, "\(path)/\(name)", AT_FDCWD, "\(path)/\(name).unusable")
  }
}

extension JSON {
  fileprivate static func parsed(_ bytes: [UInt8]) throws(FileError) -> JSON {
    do {
      return try JSON(parsing: bytes)
    } catch {
      throw .refused("it is damaged: expected \(error.expected) at byte \(error.offset)")
    }
  }
}
