import Glibc
import RoostContract
import RoostControl

/// What the environments of all workers have in common. Compares bytes: characters would bring tables of Unicode into
/// the master's memory, here and wherever it reads text.
enum WorkerEnvironmentBase {
  /// The master's own environment, without what is private to it.
  static func assignments() -> [String] {
    all().filter { assignment in
      let name = name(of: assignment)
      return !WorkerEnvironment.isPrivateToMaster(name) && name != "PWD" && name != "OLDPWD"
    }.compactMap { assignment in
      guard name(of: assignment) == StatePlace.variable else { return assignment }
      let value = assignment.utf8.dropFirst(StatePlace.variable.utf8.count + 1)
      return StatePlace.forWorkers(Substring(value)).map { "\(StatePlace.variable)=\($0)" }
    }
  }

  /// Whether an assignment says that stderr is the journal, which a pipe to the master isn't (JOURNAL_STREAM in
  /// systemd.exec(5)).
  static func isOfStderr(_ assignment: String) -> Bool { name(of: assignment) == "JOURNAL_STREAM" }

  /// Whether an assignment belongs to the login session in which the master was started: no other user's process can
  /// use what it names, and some try (pam_systemd(8), sudo(8), ssh(1)).
  static func isOfSession(_ assignment: String) -> Bool {
    let name = name(of: assignment)
    let families = ["XDG_SESSION_", "SUDO_", "SSH_"]
    return ["XDG_RUNTIME_DIR", "MAIL", "DBUS_SESSION_BUS_ADDRESS"].contains(name)
      || families.contains { name.utf8.starts(with: $0.utf8) }
  }

  /// The first with the second's assignments over it.
  static func merge(_ below: [String], _ above: [String]) -> [String] {
    if above.isEmpty { return below }
    let names = Set(above.map(name))
    return below.filter { !names.contains(name(of: $0)) } + above.map { EnvironmentBytes.text(of: Array($0.utf8)) }
  }

  /// The environment of this process.
  static func all() -> [String] {
    var assignments: [String] = []
    var next = environ
    while let assignment = next.pointee {
      let bytes = UnsafeRawBufferPointer(start: assignment, count: strlen(assignment))
      assignments.append(EnvironmentBytes.text(of: Array(bytes)))
      next += 1
    }
    return assignments
  }

  private static func name(of assignment: String) -> String {
    String(decoding: assignment.utf8.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
  }
}
