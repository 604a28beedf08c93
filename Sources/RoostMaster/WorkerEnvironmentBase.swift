import Glibc
import RoostHandoff

/// What the environments of all workers have in common. Compares bytes: characters would bring tables of Unicode into
/// the master's memory, here and wherever it reads text.
enum WorkerEnvironmentBase {
  /// The master's own environment, without what is private to it.
  static func assignments() -> [String] {
    all().filter { assignment in
      let name = name(of: assignment)
      return !WorkerEnvironment.isPrivateToMaster(name) && name != "PWD" && name != "OLDPWD"
    }
  }

  /// Whether an assignment says that stderr is the journal, which a pipe to the master isn't (JOURNAL_STREAM in
  /// systemd.exec(5)).
  static func isOfStderr(_ assignment: String) -> Bool { name(of: assignment) == "JOURNAL_STREAM" }

  /// The first with the second's assignments over it.
  static func merge(_ below: [String], _ above: [String]) -> [String] {
    if above.isEmpty { return below }
    let names = Set(above.map(name))
    return below.filter { !names.contains(name(of: $0)) } + above
  }

  /// The environment of this process.
  static func all() -> [String] {
    var assignments: [String] = []
    var next = environ
    while let assignment = next.pointee {
      assignments.append(String(cString: assignment))
      next += 1
    }
    return assignments
  }

  private static func name(of assignment: String) -> String {
    String(decoding: assignment.utf8.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
  }
}
