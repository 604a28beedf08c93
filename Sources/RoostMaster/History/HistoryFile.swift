import Glibc
import RoostJSON

/// The record on disk: whole or not at all, and safe once it was written. It contains the workers' environment, so no
/// other user may read it.
enum HistoryFile {
  static let name = "history.json"
  /// A change of what is in it raises the number.
  private static let format = 1
  /// A longer one is neither read nor written: the oldest generations are left out.
  private static let maximumLength = 16 << 20

  /// What is recorded in a directory; nil if nothing is. `service` is the one it has to belong to, if that is known.
  static func read(in path: String, of service: String?) throws(MasterError) -> History? {
    do throws(FileError) {
      let directory = try Directory(path)
      if let objection = directory.objection { throw .refused(objection) }
      do throws(FileError) {
        let json = try content(of: directory.open(name, O_RDONLY))
        try check(json, isOf: service)
        return try history(json)
      } catch .refused(let reason) {
        // So that the next one that is written doesn't overwrite it.
        directory.rename(name, to: "\(name).unusable")
        throw .refused("\(reason); it is put aside as \(name).unusable")
      }
    } catch .failed(ENOENT) {
      return nil
    } catch .failed(EEXIST) {
      throw ofAnother(path)
    } catch {
      throw MasterError(cannot: "read \(path)/\(name)", error)
    }
  }

  private static func content(of file: borrowing Descriptor) throws(FileError) -> JSON {
    try JSON.parsed(try bytes(of: file))
  }

  /// Two services in one directory would take each other's releases for their own.
  private static func check(_ json: JSON, isOf service: String?) throws(FileError) {
    guard let service, case .string(let owner) = json["service"], owner != service else { return }
    throw .failed(EEXIST)
  }

  private static func history(_ json: JSON) throws(FileError) -> History {
    guard case .integer(let number) = json["format"] else { throw .refused("it isn't the record of a service") }
    guard number == format else { throw .refused("it has format \(number), and this version reads \(format)") }
    guard let history = json["history"], let read = try? history.decode(History.self), read.isSound else {
      throw .refused("it is damaged")
    }
    return read
  }

  private static func bytes(of file: borrowing Descriptor) throws(FileError) -> [UInt8] {
    let status = try file.status()
    guard status.st_mode & S_IFMT == S_IFREG else { throw .refused("it isn't a regular file") }
    guard Outsiders.isOwn(status) else { throw .refused("it belongs to user \(status.st_uid)") }
    guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else { throw .refused("others may write to it") }
    guard status.st_size <= maximumLength else { throw .refused("it is too long") }
    guard let bytes = file.readAll(atMost: maximumLength) else { throw .failed(errno) }
    return bytes
  }

  /// Writes it, and waits until it is on disk: not to be called by the master itself.
  static func write(_ history: History, of service: String, in path: String) throws(MasterError) {
    do throws(FileError) {
      _ = try Directory.make(path)
      let directory = try Directory(path)
      if let objection = directory.objection { throw .refused(objection) }
      let text = try text(of: history, service)
      if let former = try? directory.open(name, O_RDONLY), let json = try? content(of: former) {
        try check(json, isOf: service)
      }
      _ = try directory.write(Array(text.utf8), to: name, by: ".\(name).new", mode: 0o600, isSafe: true)
    } catch .failed(EEXIST) {
      throw ofAnother(path)
    } catch {
      throw MasterError(
        cannot: "record in \(path)/\(name) which generation serves", error, hint: "see --state-directory")
    }
  }

  private static func text(of history: History, _ service: String) throws(FileError) -> String {
    var history = history
    while true {
      guard let json = try? JSON(encoding: history) else { throw .refused("it can't be encoded") }
      let text = JSON.object([
        .init("format", .integer(format)), .init("service", .string(service)), .init("history", json),
      ]).text
      if text.utf8.count <= maximumLength { return text }
      guard history.forgetOldest() else {
        throw .refused("one generation alone takes more than \(maximumLength) bytes")
      }
    }
  }

  private static func ofAnother(_ path: String) -> MasterError {
    MasterError(
      "\(path)/\(name) is the record of another service; give each service its own directory (--state-directory)")
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
