import Glibc
import RoostSystemd

/// One of the master's own streams, to which the output of processes is passed on. Writing to it never waits: who
/// doesn't read holds back the workers that write, as they would be without a master in between.
final class OutputSink {
  /// What a pipe that can be written to takes at once (PIPE_BUF in pipe(7)).
  private static let part = 4096

  let number: Int32
  private let loop: EventLoop
  private var source: Source?
  private var waiting: [WorkerOutput] = []

  let isTerminal: Bool

  init(_ number: Int32, loop: EventLoop) {
    self.number = number
    self.loop = loop
    isTerminal = isatty(number) == 1
  }

  deinit {
    source = nil
  }

  /// Writes what can be written without waiting. Returns how many bytes that were.
  func write(_ bytes: ArraySlice<UInt8>) -> Int {
    var rest = bytes
    while !rest.isEmpty {
      var poll = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
      guard Glibc.poll(&poll, 1, 0) == 1 else { break }
      // Nobody reads any more, or the stream is closed: what is written goes nowhere, as it would for a worker.
      guard poll.revents & Int16(POLLOUT) != 0 else { return bytes.count }
      let count = rest.prefix(Self.part).withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EAGAIN { break }
        if errno != EINTR { return bytes.count }
      } else {
        rest = rest.dropFirst(count)
      }
    }
    return bytes.count - rest.count
  }

  /// Calls `resume` of the output once more can be written.
  func await(_ output: WorkerOutput) {
    waiting.append(output)
    if source != nil { return }
    source = try? loop.on(.writable, of: number, priority: .last) { [unowned self] in
      let outputs = waiting
      waiting = []
      source = nil
      for output in outputs { output.resume() }
    }
  }
}
