import CRoostLinux
import Glibc
import RoostConfiguration
import RoostCore
import RoostJSON
import RoostSystemd

/// A short-lived process that reads the configuration anew: it executes what has started the master, with the same
/// arguments, and hands over the validated result through a pipe. So a parser's memory or mistake never reaches the
/// master.
final class Preparation {
  /// What the reading process answers.
  private enum Answer {
    static let configuration = "configuration"
    static let problem = "problem"
  }

  /// The environment variable that tells the process to answer instead of becoming a master, as `PARENT:DESCRIPTOR`.
  private static let variable = "ROOST_PREPARE"
  /// More is no configuration.
  private static let maximumLength = 16 << 20

  let generation: Generation
  private let pid: pid_t
  private let readEnd: Descriptor
  private var source: Source?
  private var answer: [UInt8] = []

  /// Starts the process.
  init(of generation: Generation, reader: String, directory: String) throws(MasterError) {
    self.generation = generation
    var ends: [Int32] = [0, 0]
    guard roost_pipe(&ends) == 0 else { throw MasterError(cannot: "make a pipe for the configuration") }
    readEnd = Descriptor(adopting: ends[0])
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    let writeEnd = Descriptor(adopting: ends[1])
    let variables = [
      "\(Self.variable)=\(getpid()):3",
      // By the path that the operator used: a link may have moved on.
      "PWD=\(directory)",
    ]
    var request = ProcessRequest(
      executable: reader, arguments: CStrings(CommandLine.arguments),
      environment: CStrings(WorkerEnvironmentBase.merge(WorkerEnvironmentBase.all(), variables)), directory: directory)
    request.descriptors = [writeEnd.number]
    pid = try request.start()
  }

  deinit {
    // Before the descriptor is closed: its number may belong to another by the time the loop forgets it.
    source = nil
  }

  /// Calls the handler once, with what the process has found.
  func watch(
    in loop: EventLoop, _ handler: @escaping (Result<Configuration, MasterError>) -> Void
  ) throws(SystemdError) {
    source = try loop.onReadable(readEnd.number, priority: .normal) { [unowned self] in
      if receive() { handler(result()) }
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

  private func result() -> Result<Configuration, MasterError> {
    do {
      let json = try JSON(parsing: answer)
      if case .string(let problem) = json[Answer.problem] { return .failure(MasterError(problem)) }
      guard let configuration = json[Answer.configuration] else {
        return .failure(MasterError("reading the configuration anew gave no answer"))
      }
      return .success(try Configuration(json: configuration))
    } catch is JSON.Malformed {
      return .failure(MasterError("reading the configuration anew failed: the process ended without an answer"))
    } catch {
      return .failure(MasterError("\(error)"))
    }
  }
}

/// The other end, in the process that reads.
public struct PreparationRequest {
  private let descriptor: Int32

  /// The request that this process was started for, or nil if it wasn't.
  public init?() {
    guard let value = getenv("ROOST_PREPARE") else { return nil }
    var end: UnsafeMutablePointer<CChar>?
    // The pid tells the request from one that was inherited.
    guard strtol(value, &end, 10) == Int(getppid()), let end, end.pointee == CChar(UInt8(ascii: ":")) else {
      return nil
    }
    descriptor = Int32(truncatingIfNeeded: strtol(end + 1, nil, 10))
    unsetenv("ROOST_PREPARE")
  }

  /// Answers with a configuration.
  public func answer(_ configuration: Configuration) { send(["configuration": configuration.json]) }

  /// Answers with what is wrong, in one line.
  public func answer(problem: String) { send(["problem": .string(problem)]) }

  private func send(_ answer: JSON) {
    _ = Handover.write(Array(answer.text.utf8), to: descriptor)
    close(descriptor)
  }
}
