import ArgumentParser
import RoostControl
import RoostJSON

struct CancelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel",
    abstract: "End the running reload; what serves keeps serving.",
    discussion: """
      The reload fails, with that as its reason, and its new workers drain. 'roost reload --replace' does the same and \
      begins another.

      Exit status: 0 it is ended; 1 no reload is running; 3 the service isn't running; 4 this user may not operate it.
      """)

  @OptionGroup var selection: ServiceSelection

  func run() throws {
    let (name, connection) = try selection.connect()
    do {
      let generation = try connection.call(ControlInterface.cancel).member("generation") ?? 0
      Terminal.write("the reload to generation \(generation) is cancelled\n")
    } catch {
      if case .refused(ControlInterface.nothingToCancel) = error { try Failure.exit("no reload is running", 1) }
      try selection.fail(error, name)
    }
  }
}
