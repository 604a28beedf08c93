import Glibc
import RoostCore
import RoostSystemd

/// What one process writes: passed on, and its tail kept.
final class WorkerOutput {
  private let streams: [OutputStream]

  init(_ streams: [OutputStream]) {
    self.streams = streams
  }

  var saved: [OutputStream.Saved] { streams.map(\.saved) }

  /// The last lines that it wrote to stderr.
  var lastLines: [String] { streams.last?.tail.lines ?? [] }

  /// Whether it passes through the master, which keeps its tail.
  var isKept: Bool { !streams.isEmpty }

  /// Whether nothing more will come, and nothing is left to pass on.
  var hasEnded: Bool { streams.allSatisfy(\.hasEnded) }

  func watch(in loop: EventLoop) throws(SystemdError) {
    for stream in streams { try stream.watch(in: loop) }
  }

  /// Continues to pass on what was read before an upgrade.
  func resume() {
    for stream in streams { stream.resume() }
  }

  /// Reads what an exited process has left.
  func finish() {
    for stream in streams { stream.finish() }
  }

  /// Passes on what is left, and waits for the reader until the time is over.
  func finish(by deadline: UInt64) {
    for stream in streams { stream.finish(by: deadline) }
  }
}

/// One pipe of a process.
final class OutputStream {
  /// How much is read before others get their turn.
  private static let turn = 16384
  /// The most that can be left in a pipe, since its writer may enlarge it to this (/proc/sys/fs/pipe-max-size in
  /// pipe(7)).
  private static let capacity = 1 << 20

  private(set) var tail = OutputTail()
  /// nil when no process writes to it any more: a slow reader of what is left mustn't keep descriptors open.
  private var pipe: ProcessPipe?
  private let sink: OutputSink
  private var prefix: LinePrefix?
  private var source: Source?
  /// Read, but not written yet.
  private var pending: [UInt8] = []

  var hasNoWriter: Bool { pipe == nil }
  var hasEnded: Bool { hasNoWriter && pending.isEmpty }
  var pendingCount: Int { pending.count }

  init(_ pipe: ProcessPipe, to sink: OutputSink, prefix: LinePrefix?) {
    self.pipe = pipe
    self.sink = sink
    self.prefix = prefix
  }

  struct Saved: Codable {
    let pipe: SavedDescriptor?
    let sink: Int32
    let prefixed: WorkerID?
    let tail: SavedBytes
    let pending: SavedBytes
    let unfinished: SavedBytes
  }

  fileprivate var saved: Saved {
    Saved(
      pipe: pipe.map { SavedDescriptor($0.readEnd) }, sink: sink.number, prefixed: prefix?.id,
      tail: SavedBytes(tail.bytes), pending: SavedBytes(pending), unfinished: SavedBytes(prefix?.unfinished ?? []))
  }

  init(restoring saved: Saved, to sink: OutputSink) {
    pipe = saved.pipe.map { ProcessPipe(restoring: $0) }
    self.sink = sink
    prefix = saved.prefixed.map {
      LinePrefix($0, isTerminal: sink.isTerminal, unfinished: saved.unfinished.bytes)
    }
    tail = OutputTail(saved.tail.bytes)
    pending = saved.pending.bytes
  }

  // Before the descriptor is closed (`Source`).
  deinit { source = nil }

  /// It comes after all that matters: a process that floods its output gets the time that is left.
  func watch(in loop: EventLoop) throws(SystemdError) {
    guard let pipe else { return }
    source = try loop.onReadable(pipe.readEnd.number, priority: .last) { [unowned self] in
      read(atMost: Self.turn)
      pass()
    }
  }

  func finish() {
    // A process that it has left behind may keep writing: then this isn't the end.
    read(atMost: Self.capacity)
    pass()
  }

  func finish(by deadline: UInt64) {
    finish()
    while !pending.isEmpty {
      let now = Clock.now().microseconds
      guard now < deadline, sink.waitUntilWritable(atMost: Int32((deadline - now) / 1000 + 1)) else { return }
      pending.removeFirst(sink.write(pending[...]))
    }
  }

  /// The sink can be written to again.
  func resume() {
    source?.setEnabled(true)
    pass()
  }

  private func read(atMost limit: Int) {
    guard let pipe else { return }
    var buffer = [UInt8](repeating: 0, count: Self.turn)
    var taken = 0
    while taken < limit {
      let count = Glibc.read(pipe.readEnd.number, &buffer, buffer.count)
      if count > 0 {
        taken += count
        tail.append(buffer[..<count])
        pending += prefix?.lines(of: buffer[..<count]) ?? Array(buffer[..<count])
      } else {
        if count == 0 || errno != EAGAIN { end() }
        return
      }
    }
  }

  private func end() {
    source = nil  // before the descriptor is closed (`Source`)
    pipe = nil
    pending += prefix?.rest() ?? []
  }

  private func pass() {
    pending.removeFirst(sink.write(pending[...]))
    guard !pending.isEmpty else { return }
    if hasNoWriter { dropExcess() }
    source?.setEnabled(false)
    sink.await(self)
  }

  /// Workers that are lost and replaced again and again would fill the memory of a master whose log isn't read.
  private func dropExcess() {
    let excess = pending.count - sink.room(for: self)
    guard excess > 0 else { return }
    pending.removeLast(excess)
    sink.tellUnread(excess)
  }
}
