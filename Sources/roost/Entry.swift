import ArgumentParser
import Glibc
import RoostMaster

/// Where the two lives of the binary part: what parses, and the master that it executes in its place.
enum Entry {
  static func run() -> Never {
    do {
      if let handover = try Handover.received() { exit(Master.run(handover)) }
    } catch {
      fail("\(error)", ExitStatus.masterFailed)
    }
    RoostCommand.main()
    exit(ExitStatus.stopped)
  }

  /// Ends the process with one line for the operator.
  static func fail(_ text: String, _ status: Int32) -> Never {
    fputs("roost: \(text)\n", CStandardStreams.error)
    exit(status)
  }
}

/// The C library's stderr is a mutable global, which Swift 6 doesn't let in.
private enum CStandardStreams {
  nonisolated(unsafe) static let error = fdopen(STDERR_FILENO, "w")
}
