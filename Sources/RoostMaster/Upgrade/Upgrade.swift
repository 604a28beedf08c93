import Glibc
import RoostJSON
import RoostSystemd

/// An upgrade of the master that is being tried: the new binary proves in a child that it can read the state, and go on
/// with it. Until it has, nothing is at stake.
final class Upgrade {
  /// What the child answers.
  fileprivate enum Answer {
    static let version = "version"
    static let problem = "problem"
  }

  /// The environment variable that tells the child to prove instead of becoming a master.
  fileprivate static let variable = "ROOST_PROVE"
  /// Where the child finds the state.
  fileprivate static let stateDescriptor: Int32 = 4
  /// Reading a state takes milliseconds; a binary that hangs mustn't hang the upgrade.
  private static let timeoutSeconds: UInt64 = 10

  private let program: String
  private let process: ShortLivedProcess
  private var timer: Timer?
  private var replacement: Source?

  /// Starts the child.
  init(_ handover: Handover, directory: String) throws(MasterError) {
    program = handover.program
    let state = Descriptor(adopting: try handover.file())
    process = try ShortLivedProcess(
      handover.program, variable: Self.variable, descriptors: [state.number], directory: directory)
  }

  /// Calls the handler once, with the new binary's version or with what speaks against it.
  func watch(
    in loop: EventLoop, _ handler: @escaping (Result<String, MasterError>) -> Void
  ) throws(SystemdError) {
    try process.watch(in: loop) { [unowned self] answer in
      timer = nil
      handler(result(answer))
    }
    timer = try loop.timer(priority: .late) { [unowned self] in
      timer = nil
      process.abandon()
      handler(.failure(MasterError("\(program) didn't answer within \(Self.timeoutSeconds) s")))
    }
    timer?.set(Clock.now().microseconds + Self.timeoutSeconds * 1_000_000)
  }

  private func result(_ answer: [UInt8]) -> Result<String, MasterError> {
    guard let json = try? JSON(parsing: answer) else {
      return .failure(
        MasterError("\(program) ended without an answer: it doesn't run here, or is of a version without upgrades"))
    }
    if case .string(let problem) = json[Answer.problem] { return .failure(MasterError("\(program): \(problem)")) }
    guard case .string(let version) = json[Answer.version] else {
      return .failure(MasterError("\(program) gave an answer that can't be understood"))
    }
    return .success(version)
  }

  /// Calls the handler when everything that has happened by now was handled. A signal that the loop has taken and not
  /// handled yet would be lost on exec: signals come before this.
  func replace(in loop: EventLoop, _ handler: @escaping () -> Void) throws(SystemdError) {
    replacement = try loop.deferred(priority: .last, handler)
  }
}

/// The child of an upgrade, in which a new binary shows what it can read.
enum UpgradeProof {
  /// Answers and ends, if this process was started for that.
  static func giveIfAsked() {
    guard let number = ShortLivedProcess.answerDescriptor(Upgrade.variable) else { return }
    var answer: JSON = [Upgrade.Answer.version: .string(Version.number)]
    do {
      let (handover, _) = try Handover.read(Descriptor(adopting: Upgrade.stateDescriptor))
      if handover.running == nil { answer = [Upgrade.Answer.problem: "the state is that of no running master"] }
    } catch {
      answer = [Upgrade.Answer.problem: .string(error.description)]
    }
    _ = Handover.write(Array(answer.text.utf8), to: number)
    exit(0)
  }
}
