import RoostMaster

// Before anything else: from here on a signal waits until the master watches for it.
ManagedSignals.block()
Entry.run()
