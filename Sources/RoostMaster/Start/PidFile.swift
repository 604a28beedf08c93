import Glibc

/// The file in which other tools find the master's pid.
struct PidFile {
  let path: String

  /// Writes the pid whole or not at all: a reader never sees half a number.
  func write() throws(MasterError) {
    let temporary = "\(path).\(getpid())"
    let number = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard number >= 0 else { throw MasterError(cannot: "write the pid file \(path)") }
    let descriptor = Descriptor(adopting: number)
    let line = Array("\(getpid())\n".utf8)
    guard Glibc.write(descriptor.number, line, line.count) == line.count, rename(temporary, path) == 0 else {
      let error = errno
      unlink(temporary)
      throw MasterError(cannot: "write the pid file \(path)", error)
    }
  }

  /// Removes the file if it still is this process's.
  func remove() {
    let number = open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { return }
    let descriptor = Descriptor(adopting: number)
    var content = [UInt8](repeating: 0, count: 32)
    let count = read(descriptor.number, &content, content.count)
    if count > 0, String(decoding: content[..<count], as: UTF8.self) == "\(getpid())\n" { unlink(path) }
  }
}
