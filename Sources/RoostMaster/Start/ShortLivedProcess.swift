import CRoostLinux
import Glibc
import RoostConfiguration
import RoostSystemd

/// A process that does for the master what the master mustn't do itself, and hands over its answer through a pipe.
final class ShortLivedProcess {
  /// More is no answer.
  private static let maximumLength = 16 << 20

  private let pid: pid_t
  private let readEnd: Descriptor
  private var source: Source?
  private var answer: [UInt8] = []

  /// Executes a program with the arguments of this process, so that `ps` tells whose it is. The environment variable says
  /// what it is to do, as `PARENT:DESCRIPTOR` with the descriptor for its answer; the other descriptors come after that.
  init(
    _ program: String, variable: String, descriptors: [Int32] = [], directory: String
  ) throws(MasterError) {
    var ends: [Int32] = [0, 0]
    guard roost_pipe(&ends) == 0 else { throw MasterError(cannot: "make a pipe for an answer") }
    readEnd = Descriptor(adopting: ends[0])
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    let writeEnd = Descriptor(adopting: ends[1])
    let variables = [
      "\(variable)=\(getpid()):3",
      // By the path that the operator used: a link may have moved on.
      "PWD=\(directory)",
    ]
    var request = ProcessRequest(
      executable: program, arguments: CStrings(CommandLine.arguments),
      environment: CStrings(environment: WorkerEnvironmentBase.merge(WorkerEnvironmentBase.all(), variables)),
      directory: directory)
    request.descriptors = [writeEnd.number] + descriptors
    pid = try request.start()
  }

  /// What an upgrade hands over.
  struct Saved: Codable {
    let pid: pid_t
    let readEnd: SavedDescriptor
    let answer: SavedBytes
  }

  var saved: Saved { Saved(pid: pid, readEnd: SavedDescriptor(readEnd), answer: SavedBytes(answer)) }

  init(restoring saved: Saved) {
    pid = saved.pid
    readEnd = saved.readEnd.adopt()
    answer = saved.answer.bytes
  }

  deinit {
    // Before the descriptor is closed: its number may belong to another by the time the loop forgets it.
    source = nil
  }

  /// Calls the handler once, with the whole answer.
  func watch(in loop: EventLoop, _ handler: @escaping ([UInt8]) -> Void) throws(SystemdError) {
    source = try loop.onReadable(readEnd.number, priority: .normal) { [unowned self] in
      if receive() { handler(answer) }
    }
  }

  /// Gives up.
  func abandon() {
    source = nil
    kill(-pid, SIGKILL)
  }

  /// Whether the answer is complete: the process has nothing more to say, or is gone.
  private func receive() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 16384)
    while answer.count <= Self.maximumLength {
      let count = read(readEnd.number, &buffer, buffer.count)
      if count < 0, errno == EAGAIN { return false }
      if count <= 0 { break }
      answer += buffer[..<count]
    }
    source = nil
    return true
  }

  /// The descriptor for the answer, in the process; nil if it wasn't started for that. The pid tells the request from one
  /// that was inherited.
  static func answerDescriptor(_ variable: String) -> Int32? {
    guard let value = getenv(variable) else { return nil }
    var end: UnsafeMutablePointer<CChar>?
    guard strtol(value, &end, 10) == Int(getppid()), let end, end.pointee == CChar(UInt8(ascii: ":")) else {
      return nil
    }
    let descriptor = Int32(truncatingIfNeeded: strtol(end + 1, nil, 10))
    unsetenv(variable)
    return descriptor
  }
}
