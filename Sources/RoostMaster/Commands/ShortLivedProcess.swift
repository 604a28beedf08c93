import CRoostSpawn
import Glibc
import RoostArguments
import RoostConfiguration
import RoostSystemd

/// A process that does what the master mustn't do itself, and hands over its answer through a pipe.
final class ShortLivedProcess {
  /// Anything longer isn't an answer.
  private static let maximumLength = 16 << 20
  /// How much is read before others get their turn: what fits into a pipe.
  private static let turn = 65536

  let pid: pid_t
  private let pipe: ProcessPipe
  private var source: BoundedSource?
  private var answer: [UInt8] = []

  /// Executes a program with the arguments of this process, so that `ps` shows whose it is. The environment variable
  /// says what it is to do, as `PARENT:DESCRIPTOR` with the descriptor for its answer. A trial finds the descriptor of
  /// its subject after another colon, and the kept ones under the same numbers as here.
  init(
    _ program: String, variable: String, trial: (subject: Int32, kept: [Int32])? = nil, directory: String
  ) throws(MasterError) {
    pipe = try ProcessPipe("an answer")
    let writeNumber = pipe.writeNumber!
    let numbers: [Int32] = if let trial { [writeNumber, trial.subject] } else { [3] }
    let variables = [
      "\(variable)=\(PassedDescriptor.assignment(numbers, from: getpid()))",
      // By the path that the operator used: a link may have moved on, and the directory may be gone.
      "PWD=\(directory)", "\(WorkingDirectory.variable)=\(directory)",
    ]
    var request = ProcessRequest(
      executable: program, arguments: CStrings(copying: ProgramArguments.pointers),
      environment: CStrings(environment: WorkerEnvironmentBase.merge(WorkerEnvironmentBase.all(), variables)),
      // It is told where the master was started; like the master, it needs no directory itself.
      directory: "/")
    request.descriptors = [writeNumber] + (trial.map { [$0.subject] + $0.kept } ?? [])
    request.keepsNumbers = trial != nil
    request.keepsSignalMask = true
    pid = try request.start()
    OwnProcesses.began(pid)
    pipe.closeWriteEnd()
  }

  /// Does some work in a copy of this process, which answers with what it tells, in parts: what it tells before it is
  /// killed isn't lost.
  init(telling work: (_ tell: ([UInt8]) -> Void) -> Void) throws(MasterError) {
    pipe = try ProcessPipe("an answer")
    let writeNumber = pipe.writeNumber!
    pid = roost_fork(writeNumber)
    guard pid >= 0 else { throw MasterError(cannot: "create a process") }
    if pid == 0 {
      work { _ = Handover.write($0, to: writeNumber) }
      // Nothing that the copy has is its own to give up.
      _exit(0)
    }
    OwnProcesses.began(pid)
    pipe.closeWriteEnd()
  }

  struct Saved: Codable {
    let pid: pid_t
    let readEnd: SavedDescriptor
    let answer: SavedBytes
  }

  var saved: Saved { Saved(pid: pid, readEnd: SavedDescriptor(pipe.readEnd), answer: SavedBytes(answer)) }

  init(restoring saved: Saved) {
    pid = saved.pid
    pipe = ProcessPipe(restoring: saved.readEnd)
    answer = saved.answer.bytes
  }

  // Before the descriptor is closed (`Source`).
  deinit { source = nil }

  /// Calls the handler once, with the whole answer.
  func watch(in loop: EventLoop, _ handler: @escaping ([UInt8]) -> Void) throws(SystemdError) {
    source = try BoundedSource(readable: pipe.readEnd.number, in: loop, priority: .normal) { [unowned self] in
      if receive() { handler(answer) }
    }
  }

  func abandon() {
    source = nil
    kill(-pid, SIGKILL)
  }

  /// Whether the answer is complete: the process has nothing more to say, or is gone.
  private func receive() -> Bool {
    var buffer = [UInt8](repeating: 0, count: Self.turn)
    let count = read(pipe.readEnd.number, &buffer, buffer.count)
    if count < 0, errno == EAGAIN || errno == EINTR { return false }
    answer += buffer[..<max(0, count)]
    source?.hasMore = count == buffer.count
    if count > 0, answer.count <= Self.maximumLength { return false }
    source = nil
    return true
  }

  /// The descriptor for the answer, in the process, and that of its subject; nil if it wasn't started for that.
  static func request(_ variable: String) -> (answer: Int32, subject: Int32?)? {
    guard let numbers = PassedDescriptor.take(variable, from: getppid()) else { return nil }
    return (numbers[0], numbers.count > 1 ? numbers[1] : nil)
  }
}
