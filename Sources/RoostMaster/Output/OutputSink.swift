import Glibc
import RoostLog
import RoostSystemd

/// One of the master's own streams, to which the output of processes is passed on. Writing to it never waits: a reader
/// that doesn't read holds back the workers that write, as it would without a master in between.
final class OutputSink {
  /// How much output of processes that are gone is kept: it no longer holds back any process.
  private static let maximumLeft = 1 << 20

  var number: Int32 { stream.number }
  var isTerminal: Bool { stream.isTerminal }
  private let stream: StandardStream
  private let loop: EventLoop
  private let log: Log
  private var source: Source?
  private var waiting: [OutputStream] = []
  private var lost = LostOutput()

  init(_ number: Int32, loop: EventLoop, _ log: Log) {
    stream = StandardStream(number)
    self.loop = loop
    self.log = log
  }

  deinit {
    source = nil
  }

  /// Writes what can be written without waiting. Returns how many bytes are done with.
  func write(_ bytes: ArraySlice<UInt8>) -> Int {
    var rest = bytes
    while !rest.isEmpty {
      switch rest.withUnsafeBytes({ stream.write($0) }) {
      case .written(let count):
        rest = rest.dropFirst(count)
        if lost.count > 0, lost.isToBeTold(at: Clock.now()) { tellLost() }
      case .full: return bytes.count - rest.count
      // What is written is lost, as it would be for a worker; what comes next may get there.
      case .failed(let number):
        if lost.add(rest.count, number, at: Clock.now()) {
          log.warning("what processes write to \(name) is lost from now on: \(errorText(number))")
        }
        return bytes.count
      }
    }
    return bytes.count
  }

  /// Calls `resume` of the stream once more can be written.
  func await(_ output: OutputStream) {
    if !waiting.contains(where: { $0 === output }) { waiting.append(output) }
    if source != nil { return }
    source = try? loop.on(.writable, of: number, priority: .last) { [unowned self] in
      let outputs = waiting
      waiting = []
      source = nil
      for output in outputs { output.resume() }
    }
  }

  /// How many bytes may wait of a stream that has ended, beside those of others.
  func room(for output: OutputStream) -> Int {
    let others = waiting.reduce(0) { $1.hasNoWriter && $1 !== output ? $0 + $1.pendingCount : $0 }
    return max(0, Self.maximumLeft - others)
  }

  /// Logs what couldn't be written, if anything.
  func tellLost() {
    guard lost.count > 0 else { return }
    log.warning("\(lost.count) bytes that processes wrote to \(name) were lost: \(errorText(lost.error))")
    lost.told(at: Clock.now())
  }

  private var name: String { number == STDERR_FILENO ? "stderr" : "stdout" }

  /// Logs how much output of a process that has ended wasn't read.
  func tellUnread(_ count: Int) {
    log.warning("\(count) bytes that a process wrote before it ended were lost: the reader of the log didn't take them")
  }

  /// Waits until more can be written, or the time is over. Returns whether more can be written.
  func waitUntilWritable(atMost milliseconds: Int32) -> Bool {
    var poll = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    return Glibc.poll(&poll, 1, milliseconds) == 1
  }
}
