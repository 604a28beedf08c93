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
    try selection.operate { _, connection in
      do {
        let generation = try connection.call(ControlInterface.cancel).member("generation") ?? 0
        Terminal.write("the reload to generation \(generation) is cancelled\n")
      } catch ControlError.refused(ControlInterface.nothingToCancel) {
        try Failure.exit("no reload is running", 1)
      }
    }
  }
}
