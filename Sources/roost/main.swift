import ArgumentParser
import RoostArguments
import RoostMaster

// Before anything else: from here on a signal waits until the master watches for it, in the binary that this one
// executes in its place.
ManagedSignals.block()
StandardDescriptors.open()
do {
  if let problem = ProgramArguments.problem { throw ValidationError(problem) }
  if let advice = AbsentCommand.advice(for: Array(ProgramArguments.all.dropFirst())) {
    try Failure.exit(advice, ExitCode.validationFailure.rawValue)
  }
  var command = try RoostCommand.parseAsRoot(ScaleCommand.spelled(Array(ProgramArguments.all.dropFirst())))
  // Everything else is an ordinary command, which Ctrl-C ends; the doctor takes its workers with it.
  if !(command is RunCommand || command is DoctorCommand) { ManagedSignals.unblock() }
  try command.run()
} catch {
  RoostCommand.exit(withError: error)
}
