import Glibc
import RoostConfiguration
import RoostCore
import RoostJSON
import RoostSystemd

/// A short-lived process that prepares a generation, in two steps. The first reads the configuration again: it executes
/// what started the master, with the same arguments, and hands over the validated result. So a parser's memory or
/// mistake never reaches the master. The second looks for what the configuration names: a file system that hangs holds
/// it up, and not the master.
final class Preparation {
  struct Finding {
    let configuration: Configuration
    /// After the second step.
    let places: PinnedRelease?
  }

  fileprivate enum Answer {
    static let configuration = "configuration"
    static let places = "places"
    static let problem = "problem"
  }

  /// The environment variable that tells the process to answer instead of becoming a master.
  fileprivate static let variable = "ROOST_PREPARE"

  let generation: Generation
  private let process: ShortLivedProcess

  init(of generation: Generation, reader: String, directory: String) throws(MasterError) {
    self.generation = generation
    process = try ShortLivedProcess(reader, variable: Self.variable, directory: directory)
  }

  /// Starts the process that looks for what a configuration names.
  init(
    of generation: Generation, looking configuration: Configuration, with resolver: ReleaseResolver
  ) throws(MasterError) {
    self.generation = generation
    process = try ShortLivedProcess { tell in
      let answer: JSON
      do {
        let places = try JSON(encoding: resolver.pin(configuration.worker))
        answer = [Answer.configuration: configuration.json, Answer.places: places]
      } catch {
        answer = [Answer.problem: .string("\(error)")]
      }
      tell(Array(answer.text.utf8))
    }
  }

  struct Saved: Codable {
    let generation: Generation
    let process: ShortLivedProcess.Saved
  }

  var saved: Saved { Saved(generation: generation, process: process.saved) }

  init(restoring saved: Saved) {
    generation = saved.generation
    process = ShortLivedProcess(restoring: saved.process)
  }

  /// Calls the handler once, with what the process has found.
  func watch(
    in loop: EventLoop, _ handler: @escaping (Result<Finding, MasterError>) -> Void
  ) throws(SystemdError) {
    try process.watch(in: loop) { handler(Self.result($0)) }
  }

  func abandon() { process.abandon() }

  private static func result(_ answer: [UInt8]) -> Result<Finding, MasterError> {
    do {
      let json = try JSON(parsing: answer)
      if case .string(let problem) = json[Answer.problem] { return .failure(MasterError(problem)) }
      guard let configuration = json[Answer.configuration] else {
        return .failure(MasterError("reading the configuration again gave no answer"))
      }
      let places = try json[Answer.places]?.decode(PinnedRelease.self)
      try places?.worker?.check()
      return .success(Finding(configuration: try Configuration(json: configuration), places: places))
    } catch is JSON.Malformed {
      return .failure(
        MasterError(
          "reading the configuration again failed: the process ended without an answer; 'roost check' on the file may"
            + " say why"
        ))
    } catch {
      return .failure(MasterError("the new configuration can't be used: \(error)"))
    }
  }
}

/// The other end, in the process that reads.
package struct PreparationRequest {
  private let descriptor: Int32

  /// The request that this process was started for, or nil if it wasn't.
  package init?() {
    guard let request = ShortLivedProcess.request(Preparation.variable) else { return nil }
    descriptor = request.answer
  }

  package func answer(_ configuration: Configuration) { send([Preparation.Answer.configuration: configuration.json]) }

  /// Answers with what is wrong, in one line.
  package func answer(problem: String) { send([Preparation.Answer.problem: .string(problem)]) }

  private func send(_ answer: JSON) {
    _ = Handover.write(Array(answer.text.utf8), to: descriptor)
    close(descriptor)
  }
}
