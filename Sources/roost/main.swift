import RoostMaster

// Before anything else: from here on a signal waits until the master watches for it, in the binary that this one
// executes in its place.
ManagedSignals.block()
StandardDescriptors.open()
do {
  var command = try RoostCommand.parseAsRoot()
  // Everything else is an ordinary command, which Ctrl-C ends; the doctor takes its workers with it.
  if !(command is RunCommand || command is DoctorCommand) { ManagedSignals.unblock() }
  try command.run()
} catch {
  RoostCommand.exit(withError: error)
}
