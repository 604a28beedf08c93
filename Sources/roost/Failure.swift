import ArgumentParser
import Foundation
import Glibc
import RoostControl
import RoostLog
import RoostMaster
import RoostOptions

/// How commands that can't do what was asked end.
enum Failure {
  /// The service runs, but isn't as it should be: some slots have no worker that serves, or something other than what
  /// was requested serves.
  static let notWhole: Int32 = 1
  /// The service runs, but no worker serves.
  static let down: Int32 = 2
  /// No service of the name is running (as in the LSB's init scripts and systemctl(1)).
  static let notRunning: Int32 = 3
  /// This user may not operate the service.
  static let notPermitted: Int32 = 4
  /// There was no verdict within the given time (as with timeout(1)).
  static let timedOut: Int32 = 124

  /// Says something on stderr.
  static func tell(_ text: String) { _ = Terminal.write("roost: \(text)\n", to: STDERR_FILENO) }

  /// Whether what this command says on stderr gets into the journal beside what the service's master said: the command
  /// is part of the service's own unit, like ExecReload=.
  static func isToldInJournal(of service: String) -> Bool {
    guard let directory = ControlPlace.runtimeDirectory() else { return false }
    return Log.stderrIsJournal && directory.split(separator: "/").last.map(String.init) == service
  }

  /// Says why on stderr, and ends with a status.
  static func exit(_ text: String, _ status: Int32) throws -> Never {
    tell(text)
    throw ExitCode(status)
  }

  /// Does this, or says what is wrong with the configuration, or with the subject and this status what else is.
  static func telling(_ status: Int32, of subject: String = "", _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let problems as Problems {
      try exit(problems)
    } catch let error as MasterError {
      try exit(subject + error.description, status)
    }
  }

  /// Says everything that is wrong with a configuration.
  static func exit(_ problems: Problems) throws -> Never {
    for line in problems.lines { tell(line) }
    throw problems.areUsage ? ExitCode.validationFailure : ExitCode(ExitStatus.unusableConfiguration)
  }
}

extension Problems {
  /// For a verdict: the first, and how many more there are.
  var oneLine: String {
    count == 1 ? "\(first[0])" : "\(first[0]) (and \(count - 1) more; 'roost check' shows all)"
  }
}
