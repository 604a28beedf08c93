import Glibc
import RoostCore

/// What can be asked for: for whoever reads what an operator wrote, and for the master, which takes nothing on trust of who
/// has read it.
package enum Limits {
  package static let workers = 1...Settings.maximumWorkers
  /// The most listeners. A worker is given a descriptor for each.
  package static let listeners = 1024
  /// How many candidates a reload starts at a time, where that is said.
  package static let surge = 1...Settings.maximumWorkers
  /// How often a worker of the first generation is tried.
  package static let startAttempts = 1...1000
  /// How many workers of a slot are replaced at once within the window; 0 for none.
  package static let restartBurst = 0...1000
  /// The largest number of a generation that is believed: with a reload each second it takes a hundred thousand years.
  package static let generation = 1 << 42
  /// How many generations that have served are remembered.
  package static let history = 1...100
  package static let backlog = 1...65535
  /// The nice value (nice(2)).
  package static let nice = -20...19
  package static let mode = 0...0o777
  /// The id of a user or a group; the largest number stands for none (chown(2)).
  package static let identifier = 0...Int(UInt32.max) - 1
  /// A bound of a resource; without one it is nil.
  package static let resource = 0...(1 << 62)
  /// The status of an answer to a probe. Those below aren't final (RFC 9110, 15.2).
  package static let probeStatus = 200...599
  /// The longest time. Nothing in Roost has a reason to wait longer.
  package static let longestDuration: Duration = .seconds(7 * 24 * 3600)
  package static let shortestHookTimeout: Duration = .seconds(1)
  /// The most bytes of a unix socket's path: sun_path in unix(7) has room for one more, the NUL at the end.
  static let socketPath = 107
  /// The most bytes of the path of a probe.
  static let probePath = 1024

  /// The most bytes of one argument, or of one variable with its name and the equals sign: the kernel takes one more, the
  /// NUL at the end (MAX_ARG_STRLEN in execve(2)).
  package static let argument = 32 * sysconf(Int32(_SC_PAGESIZE)) - 1

  /// The most bytes of all arguments and variables together: three quarters of what the kernel takes for the usual stack.
  /// Often less is taken, a quarter of the limit of the stack (execve(2)).
  package static let allArguments = 6 << 20

  /// What is wrong with an argument or a variable of this length; nil if nothing is.
  package static func problem(withArgumentOf length: Int) -> String? {
    length <= argument
      ? nil : "has \(length) bytes, and the kernel gives no process more than \(argument) in one (execve(2))"
  }
}
