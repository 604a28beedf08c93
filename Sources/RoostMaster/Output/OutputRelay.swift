import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostSystemd

/// Passes on what processes write. A process may be gone while its output is still read: something it left behind may
/// hold the pipe.
final class OutputRelay {
  private static let patienceMicroseconds: UInt64 = 2_000_000

  private let loop: EventLoop
  private let standardOutput: OutputSink
  private let standardError: OutputSink
  private var outputs: [WorkerOutput] = []

  /// A relay to the master's own streams, or to others.
  init(loop: EventLoop, _ log: Log, standardOutput: Int32 = STDOUT_FILENO, standardError: Int32 = STDERR_FILENO) {
    self.loop = loop
    self.standardOutput = OutputSink(standardOutput, loop: loop, log)
    self.standardError = OutputSink(standardError, loop: loop, log)
  }

  /// The pipes of a worker, as its configuration asks for them.
  func channels(for id: WorkerID, _ configuration: WorkerConfiguration) throws(MasterError) -> OutputChannels {
    switch configuration.output {
    case .direct: OutputChannels(standardOutput: nil, standardError: nil)
    case .passed: try capture(configuration)
    case .prefixed:
      OutputChannels(standardOutput: try pipe(configuration), standardError: try pipe(configuration))
    }
  }

  /// The pipe of a process whose last words are wanted.
  func capture(_ configuration: WorkerConfiguration) throws(MasterError) -> OutputChannels {
    OutputChannels(standardOutput: nil, standardError: try pipe(configuration))
  }

  /// A pipe that the process may open again through /dev/stderr, whatever user it runs as.
  private func pipe(_ configuration: WorkerConfiguration) throws(MasterError) -> ProcessPipe {
    let pipe = try ProcessPipe("what a process writes")
    if let identity = configuration.identity { fchown(pipe.writeNumber!, identity.user, identity.group) }
    return pipe
  }

  /// Begins to read, before there is a process: what can fail must not leave an unknown process. `id` if each line is
  /// to say whose it is.
  func follow(_ channels: OutputChannels, _ id: WorkerID?) throws(MasterError) -> WorkerOutput {
    var streams: [OutputStream] = []
    for (pipe, sink) in [(channels.standardOutput, standardOutput), (channels.standardError, standardError)] {
      guard let pipe else { continue }
      streams.append(OutputStream(pipe, to: sink, prefix: id.map { LinePrefix($0, isTerminal: sink.isTerminal) }))
    }
    return try follow(WorkerOutput(streams))
  }

  /// There is no process after all.
  func forget(_ output: WorkerOutput) {
    outputs.removeAll { $0 === output }
  }

  /// What an upgrade hands over: the outputs that belong to none of these any more.
  func saved(without owned: [WorkerOutput]) -> [[OutputStream.Saved]] {
    outputs.filter { output in !owned.contains { $0 === output } }.map(\.saved)
  }

  /// Continues to read an output after an upgrade.
  @discardableResult
  func restore(_ saved: [OutputStream.Saved]) throws(MasterError) -> WorkerOutput {
    try follow(
      WorkerOutput(
        saved.map { OutputStream(restoring: $0, to: $0.sink == STDERR_FILENO ? standardError : standardOutput) }))
  }

  private func follow(_ output: WorkerOutput) throws(MasterError) -> WorkerOutput {
    do { try output.watch(in: loop) } catch { throw MasterError("\(error)") }
    outputs.append(output)
    return output
  }

  /// Continues to pass on what a former binary had read.
  func resume() {
    for output in outputs { output.resume() }
  }

  /// Lets go of the pipes that no process writes to any more.
  func forgetEnded() {
    outputs.removeAll(where: \.hasEnded)
  }

  /// Logs what couldn't be written, if anything.
  func tellLost() {
    for sink in [standardOutput, standardError] { sink.tellLost() }
  }

  /// Passes on what is left. It waits a moment for a slow reader: the last words of a service are those that an
  /// operator will look for.
  func finish() {
    let deadline = Clock.now().microseconds + Self.patienceMicroseconds
    for output in outputs { output.finish(by: deadline) }
  }
}
