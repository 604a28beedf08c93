/// What the exit status of `roost run` means.
package enum ExitStatus {
  /// It was asked to stop, and did.
  package static let stopped: Int32 = 0
  /// The first generation couldn't get ready.
  package static let startFailed: Int32 = 1
  /// The master itself has failed (EX_SOFTWARE in sysexits.h).
  package static let masterFailed: Int32 = 70
  /// What was asked for isn't possible, and nothing was started (EX_CONFIG in sysexits.h). Another try won't help.
  package static let unusableConfiguration: Int32 = 78
}
