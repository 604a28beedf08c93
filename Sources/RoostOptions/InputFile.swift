import Glibc

/// A file that an operator has named: whatever can be read to an end, a pipe of the shell's too.
struct InputFile {
  /// Why it can't be read.
  struct Failure: Error {
    /// For the operator, to follow the path.
    let text: String
    let isMissing: Bool

    static func of(_ number: Int32) -> Failure {
      Failure(text: "cannot be read: \(String(cString: strerror(number)))", isMissing: number == ENOENT)
    }
  }

  /// Where the process shows its own descriptors as files (proc_pid_fd(5)).
  private static let folders = ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"]
  private static let streams = ["/dev/stdin", "/dev/stdout", "/dev/stderr"]

  let path: String
  /// Where the path may begin: not where this process is, which on a reload is elsewhere.
  let directory: String
  /// Whether it was read before, at the start of the service.
  let isReadAgain: Bool

  private var absolute: String { path.hasPrefix("/") ? path : "\(directory)/\(path)" }

  /// All that is in it. What has more than `maximum` bytes is refused.
  func bytes(atMost maximum: Int) throws(Failure) -> [UInt8] {
    if isReadAgain, isOwnDescriptor {
      throw Failure(
        text: "cannot be read again: it was a descriptor of the command that started the service; use a file or a FIFO",
        isMissing: false)
    }
    let number = open(absolute, O_RDONLY | O_CLOEXEC | O_NOCTTY)
    guard number >= 0 else { throw .of(errno) }
    defer { close(number) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 65536)
    while bytes.count <= maximum {
      let count = read(number, &part, part.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .of(errno) }
      if count == 0 { return bytes }
      bytes += part[..<count]
    }
    throw Failure(text: "is longer than \(maximum >> 20) MiB", isMissing: false)
  }

  /// Whether the path leads to what this process has open itself. In the one that reads for a reload that is something
  /// else: /dev/null as stdin, the pipe for its answer, or nothing.
  private var isOwnDescriptor: Bool {
    var path = absolute
    // As many links as the kernel follows (path_resolution(7)).
    for _ in 0..<40 {
      if Self.streams.contains(path) || Self.folders.contains(where: { path.hasPrefix($0) }) { return true }
      var target = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
      guard readlink(path, &target, Int(PATH_MAX)) > 0 else { return false }
      let text = String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      path = text.hasPrefix("/") ? text : path[...(path.lastIndex(of: "/") ?? path.startIndex)] + text
    }
    return false
  }
}
