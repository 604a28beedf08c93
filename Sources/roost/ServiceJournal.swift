import Foundation
import Glibc
import RoostProcess

/// What the journal has of a service: the entries of its unit, and what systemd says of the unit.
struct ServiceJournal {
  /// What chooses the entries (journalctl(1)).
  private let selection: [String]

  /// The journal of a running master; nil if it isn't a unit's main process, so that what it writes goes elsewhere.
  init?(ofMaster pid: Int) {
    guard Self.isThere, let content = FileManager.default.contents(atPath: "/proc/\(pid)/cgroup"),
      let path = ControlGroup.path(parsing: ArraySlice(content))
    else { return nil }
    // The unit may have its own cgroups below it, and may belong to a user manager.
    let units = path.split(separator: "/").map(String.init).filter { $0.hasSuffix(".service") }
    for (index, unit) in units.enumerated().reversed() {
      let isUsers = units[..<index].contains { $0.hasPrefix("user@") }
      let manager = isUsers ? ["--user"] : []
      let main = try? SystemdProgram.systemctl(
        manager + ["show", "--value", "--property=MainPID", "--", unit], warns: false)
      guard main?.split(separator: "\n").first == "\(pid)" else { continue }
      selection = ["\(isUsers ? "--user-unit" : "--unit")=\(unit)"]
      return
    }
    return nil
  }

  /// The journal of a service that doesn't run, or that this user may not ask, by the names of Roost's units. nil if
  /// the journal has nothing of them that this user may read.
  init?(ofService name: String) {
    guard Self.isThere else { return nil }
    var units = ["roost@\(name).service"]
    // Its own unit, unless something else has the name.
    let other = try? UnitProperties(of: "\(name).service")
    if other.map({ UnitCommandLine(parsing: $0["ExecStart"]).arguments(of: "run") != nil }) ?? true {
      units.append("\(name).service")
    }
    selection = units.map { "--unit=\($0)" } + (geteuid() == 0 ? [] : units.map { "--user-unit=\($0)" })
    guard hasEntries else { return nil }
  }

  private static var isThere: Bool {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/journalctl") }
  }

  private var hasEntries: Bool {
    let words = ["journalctl", "--quiet", "--no-pager", "--lines=1", "--output=cat"] + selection
    return (try? SystemdProgram.run(words, warns: false))?.output.isEmpty == false
  }

  /// Becomes journalctl, with these further arguments.
  func show(_ arguments: [String]) throws -> Never {
    let words = ["journalctl", "--no-pager"] + arguments + selection
    var pointers = words.map { strdup($0) }
    pointers.append(nil)
    execvp("journalctl", pointers)
    try Failure.exit("cannot execute journalctl: \(String(cString: strerror(errno)))", 1)
  }
}
