import RoostMaster

// Before anything else: from here on a signal waits until the master watches for it, in the binary that this one
// executes in its place.
ManagedSignals.block()
RoostCommand.main()
