import CRoostMaster
import Glibc
import RoostSystemd

/// A pipe on which a worker says with a line that it is ready, as in s6.
final class ReadinessPipe {
  /// What has come.
  enum Word: Equatable {
    case nothing
    case line
    /// So much that it isn't a line.
    case flood
  }

  /// Anything longer isn't a line. A worker that keeps writing fills the pipe, and waits until its ready timeout is
  /// over.
  static let maximumLength = 65536

  private let readEnd: Descriptor
  private var writeEnd: Descriptor?
  private var source: BoundedSource?
  private var length = 0
  /// Whether there is something to wait for.
  private let isAwaited: Bool

  init() throws(MasterError) {
    var ends: [Int32] = [0, 0]
    guard roost_pipe(&ends) == 0 else { throw MasterError(cannot: "make a readiness pipe") }
    // Only this end: the flag belongs to the end's open file, and the other end is the worker's.
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    isAwaited = true
    readEnd = Descriptor(adopting: ends[0])
    writeEnd = Descriptor(adopting: ends[1])
  }

  /// What an upgrade hands over.
  struct Saved: Codable {
    let readEnd: SavedDescriptor
    let isAwaited: Bool
  }

  var saved: Saved { Saved(readEnd: SavedDescriptor(readEnd), isAwaited: source != nil) }

  init(restoring saved: Saved) {
    readEnd = saved.readEnd.adopt()
    isAwaited = saved.isAwaited
  }

  deinit {
    // Before the descriptor is closed: its number may belong to another by the time the loop forgets it.
    source = nil
  }

  /// The end for the worker, while the master has it.
  var writeNumber: Int32? { writeEnd?.number }

  /// Closes the master's copy of the worker's end.
  func closeWriteEnd() {
    writeEnd = nil
  }

  func watch(in loop: EventLoop, _ receive: @escaping () -> Void) throws(SystemdError) {
    guard isAwaited else { return }
    source = try BoundedSource(readable: readEnd.number, in: loop, priority: .first, receive)
  }

  /// Takes what has come. After a line, a flood, or the end of the pipe, nothing more is read.
  func receive() -> Word {
    guard source != nil else { return .nothing }
    var buffer = [UInt8](repeating: 0, count: 4096)
    while length < Self.maximumLength {
      let count = read(readEnd.number, &buffer, min(buffer.count, Self.maximumLength - length))
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
