import Glibc
import RoostSystemd

/// A pipe on which a worker says with a line that it is ready, as in s6.
final class ReadinessPipe {
  enum Word: Equatable {
    case nothing
    case line
    /// So much that it isn't a line.
    case flood
  }

  /// Anything longer isn't a line. A worker that keeps writing fills the pipe, and waits until its ready timeout is
  /// over.
  static let maximumLength = 65536

  let pipe: ProcessPipe
  private var source: BoundedSource?
  private var length = 0
  /// Whether there is something to wait for.
  private let isAwaited: Bool

  init() throws(MasterError) {
    pipe = try ProcessPipe("readiness")
    isAwaited = true
  }

  struct Saved: Codable {
    let readEnd: SavedDescriptor
    let isAwaited: Bool
  }

  var saved: Saved { Saved(readEnd: SavedDescriptor(pipe.readEnd), isAwaited: source != nil) }

  init(restoring saved: Saved) {
    pipe = ProcessPipe(restoring: saved.readEnd)
    isAwaited = saved.isAwaited
  }

  // Before the descriptor is closed (`Source`).
  deinit { source = nil }

  func watch(in loop: EventLoop, _ receive: @escaping () -> Void) throws(SystemdError) {
    guard isAwaited else { return }
    source = try BoundedSource(readable: pipe.readEnd.number, in: loop, priority: .first, receive)
  }

  /// Takes what has come. After a line, a flood, or the end of the pipe, nothing more is read.
  func receive() -> Word {
    guard source != nil else { return .nothing }
    var buffer = [UInt8](repeating: 0, count: 4096)
    while length < Self.maximumLength {
      let count = read(pipe.readEnd.number, &buffer, min(buffer.count, Self.maximumLength - length))
      guard count > 0 else {
        if count == 0 { source = nil }
        return .nothing
      }
      length += count
      if buffer[..<count].contains(UInt8(ascii: "\n")) {
        source = nil
        return .line
      }
    }
    source = nil
    return .flood
  }
}
