import Glibc
import RoostCore
import RoostSystemd

/// What one process writes: passed on, and its tail kept.
final class WorkerOutput {
  private let streams: [OutputStream]

  init(_ streams: [OutputStream]) {
    self.streams = streams
  }

  /// What an upgrade hands over.
  var saved: [OutputStream.Saved] { streams.map(\.saved) }

  /// The last lines that it wrote to stderr.
  var lastLines: [String] { streams.last?.tail.lines ?? [] }

  /// Whether there is nothing more to come.
  var hasEnded: Bool { streams.allSatisfy(\.hasEnded) }

  func watch(in loop: EventLoop) throws(SystemdError) {
    for stream in streams { try stream.watch(in: loop, self) }
  }

  /// Reads what a process that has exited has left.
  func finish() {
    for stream in streams { stream.finish() }
  }

  /// The sink can be written to again.
  func resume() {
    for stream in streams { stream.resume(self) }
  }
}

/// One pipe of a process.
final class OutputStream {
  /// How much is read before others get their turn.
  private static let turn = 16384
  /// The capacity of a pipe: more can't be left in it (pipe(7)).
  private static let capacity = 65536

  private(set) var tail = OutputTail()
  private(set) var hasEnded = false
  private let pipe: OutputPipe
  private let sink: OutputSink
  private var prefix: LinePrefix?
  private var source: Source?
  /// Read, and not written yet.
  private var pending: [UInt8] = []

  init(_ pipe: OutputPipe, to sink: OutputSink, prefix: LinePrefix?) {
    self.pipe = pipe
    self.sink = sink
    self.prefix = prefix
  }

  /// What an upgrade hands over.
  struct Saved: Codable {
    let pipe: SavedDescriptor
    let sink: Int32
    let prefixed: WorkerID?
    let tail: SavedBytes
    let pending: SavedBytes
    let unfinished: SavedBytes
    let hasEnded: Bool
  }

  fileprivate var saved: Saved {
    Saved(
      pipe: SavedDescriptor(pipe.readEnd), sink: sink.number, prefixed: prefix?.id, tail: SavedBytes(tail.bytes),
      pending: SavedBytes(pending), unfinished: SavedBytes(prefix?.unfinished ?? []), hasEnded: hasEnded)
  }

  init(restoring saved: Saved, to sink: OutputSink) {
    pipe = OutputPipe(restoring: saved.pipe)
    self.sink = sink
    prefix = saved.prefixed.map {
      LinePrefix($0, isTerminal: sink.isTerminal, unfinished: saved.unfinished.bytes)
    }
    tail = OutputTail(saved.tail.bytes)
    pending = saved.pending.bytes
    hasEnded = saved.hasEnded
  }

  deinit {
    // Before the descriptor is closed: its number may belong to another by the time the loop forgets it.
    source = nil
  }

  /// After all that matters: a process that floods its output gets what time is left.
  func watch(in loop: EventLoop, _ output: WorkerOutput) throws(SystemdError) {
    defer { if !pending.isEmpty { pass(output) } }
    if hasEnded { return }
    source = try loop.onReadable(pipe.readEnd.number, priority: .last) { [unowned self, unowned output] in
      read(atMost: Self.turn)
      pass(output)
    }
  }

  func finish() {
    // A process that it has left behind may go on writing: then this isn't the end.
    read(atMost: Self.capacity)
    pending = Array(pending.dropFirst(sink.write(pending[...])))
  }

  func resume(_ output: WorkerOutput) {
    source?.setEnabled(true)
    pass(output)
  }

  private func read(atMost limit: Int) {
    guard !hasEnded else { return }
    var buffer = [UInt8](repeating: 0, count: Self.turn)
    var taken = 0
    while taken < limit {
      let count = Glibc.read(pipe.readEnd.number, &buffer, buffer.count)
      if count > 0 {
        taken += count
        tail.append(buffer[..<count])
        pending += prefix?.lines(of: buffer[..<count]) ?? Array(buffer[..<count])
      } else {
        if count == 0 || errno != EAGAIN {
          hasEnded = true
          source = nil
          pending += prefix?.rest() ?? []
        }
        return
      }
    }
  }

  private func pass(_ output: WorkerOutput) {
    pending.removeFirst(sink.write(pending[...]))
    guard !pending.isEmpty else { return }
    source?.setEnabled(false)
    sink.await(output)
  }
}
