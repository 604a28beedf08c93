import Glibc
import RoostJSON
import RoostSystemd

/// An upgrade of the master that is being tried: the new binary proves in a child that it can take over. The child does
/// all that may fail after execve(2), from which there is no way back, with the same state, descriptors, limits, user
/// and directory (docs/decisions/0008-no-way-back.md). Until it has, nothing is at stake.
final class UpgradeAttempt {
  fileprivate enum Answer {
    static let version = "version"
    static let problem = "problem"
  }

  /// The environment variable that tells the child to give the proof instead of becoming a master.
  fileprivate static let variable = "ROOST_PROVE"
  /// Where a child of a master of version 0.2 finds the state. It has nothing of what that mentions.
  fileprivate static let formerStateDescriptor: Int32 = 4
  private let program: String
  private let process: ShortLivedProcess
  private let identity: ProgramIdentity?
  private var replacement: Source?

  init(_ handover: Handover, directory: String) throws(MasterError) {
    program = handover.program
    identity = ProgramIdentity(of: program)
    let (number, kept) = try handover.file()
    let state = Descriptor(adopting: number)
    process = try ShortLivedProcess(
      handover.program, variable: Self.variable, trial: (state.number, kept), directory: directory)
  }

  func abandon() { process.abandon() }

  /// Calls the handler once, with the objection to the new binary, if there is one.
  func watch(in loop: EventLoop, _ handler: @escaping (MasterError?) -> Void) throws(SystemdError) {
    try process.watch(in: loop) { [unowned self] answer in handler(objection(answer)) }
  }

  private func objection(_ answer: [UInt8]) -> MasterError? {
    guard let json = try? JSON(parsing: answer) else {
      return MasterError(
        "\(program) ended without an answer: it doesn't run here, or its version doesn't support upgrades")
    }
    if case .string(let problem) = json[Answer.problem] { return MasterError("\(program): \(problem)") }
    guard case .string = json[Answer.version] else {
      return MasterError("\(program) gave an answer that can't be understood")
    }
    return nil
  }

  /// Throws if the program is no longer the one that has proved that it can take over.
  func check() throws(MasterError) {
    guard let found = ProgramIdentity(of: program) else { throw MasterError(cannot: "execute \(program)") }
    guard found == identity else {
      throw MasterError("\(program) was replaced by another while it was tried: try again")
    }
  }

  /// Calls the handler once everything that has happened by now was handled. A signal that the loop has taken but not
  /// handled yet would be lost on exec: signals come before this.
  func replace(in loop: EventLoop, _ handler: @escaping () -> Void) throws(SystemdError) {
    replacement = try loop.deferred(priority: .last, handler)
  }
}

/// The child of an upgrade, in which a new binary shows what it can read.
enum UpgradeProof {
  /// Answers and ends, if this process was started for that.
  static func giveIfAsked() {
    guard let request = ShortLivedProcess.request(UpgradeAttempt.variable) else { return }
    Directory.mayRemove = false
    Descriptor.mayShutDown = false
    var answer: JSON = [UpgradeAttempt.Answer.version: .string(Version.number)]
    // Until the end of the process: what was taken over must not be given up, such as the files of sockets.
    var master: Master?
    do {
      let (handover, state) = try Handover.read(
        Descriptor(adopting: request.subject ?? UpgradeAttempt.formerStateDescriptor))
      guard let running = handover.running else { throw MasterError("the state doesn't belong to a running master") }
      if request.subject != nil { master = try Master.rehearsal(handover, state, running) }
    } catch {
      answer = [UpgradeAttempt.Answer.problem: .string("\(error)")]
    }
    _ = Handover.write(Array(answer.text.utf8), to: request.answer)
    withExtendedLifetime(master) { _exit(0) }
  }
}
