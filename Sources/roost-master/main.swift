import RoostMaster

// Blocked already by `roost run`, from which this process has its pid, its parent and its arguments.
ManagedSignals.block()
StandardDescriptors.open()
Master.main()
