import ArgumentParser
import Foundation
import RoostMaster
import RoostOptions

/// How commands end that can't do what was asked.
enum Failure {
  /// No service of the name is running (as in the LSB's init scripts and systemctl(1)).
  static let notRunning: Int32 = 3
  /// This user may not operate the service.
  static let notPermitted: Int32 = 4
  /// There was no verdict within the time that was given (as timeout(1)).
  static let timedOut: Int32 = 124

  /// Says why on stderr, and ends with a status.
  static func exit(_ text: String, _ status: Int32) throws -> Never {
    FileHandle.standardError.write(Data("roost: \(text)\n".utf8))
    throw ExitCode(status)
  }

  /// Says everything that is wrong with a configuration.
  static func exit(_ problems: Problems) throws -> Never {
    for problem in problems.all { FileHandle.standardError.write(Data("roost: \(problem)\n".utf8)) }
    throw problems.areUsage ? ExitCode.validationFailure : ExitCode(ExitStatus.unusableConfiguration)
  }
}

extension Problems {
  /// For a verdict: the first, and how many more there are.
  var oneLine: String {
    all.count == 1 ? "\(all[0])" : "\(all[0]) (and \(all.count - 1) more; 'roost check' shows all)"
  }
}
