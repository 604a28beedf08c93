import Glibc

/// Where a service keeps what has to outlive it.
package enum StatePlace {
  /// Where systemd tells what it has made (`StateDirectory=` in systemd.exec(5)).
  package static let variable = "STATE_DIRECTORY"

  /// The directory that systemd has made for a master that starts now, if it has: the one for the master, else the first. A
  /// master that a worker has started inherits the variable of another service.
  package static func forMaster() -> String? {
    guard getenv("ROOST_SERVICE") == nil, let value = getenv(variable).map({ String(cString: $0) }) else { return nil }
    let paths = value.split(separator: ":").filter { $0.hasPrefix("/") }
    return (paths.first { isOfMaster($0.utf8) } ?? paths.first).map(String.init)
  }

  /// What is left of the variable's value for workers, whose data others of the directories are for; nil if nothing is.
  package static func forWorkers(_ value: some StringProtocol) -> String? {
    let paths = value.utf8.split(separator: UInt8(ascii: ":")).filter { !isOfMaster($0) }
    return paths.isEmpty ? nil : paths.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ":")
  }

  /// Whether a path is `roost/NAME` below wherever: the units that come with Roost have such a one for the master itself.
  private static func isOfMaster(_ path: some Collection<UInt8>) -> Bool {
    path.split(separator: UInt8(ascii: "/")).dropLast().last.map { $0.elementsEqual("roost".utf8) } ?? false
  }
}

/// Where control sockets are.
package enum ControlPlace {
  package static let socketName = "control"
  package static let lockName = "lock"

  /// The directory for the control socket of a master that starts now, or nil if there is none: what systemd has made
  /// (`RuntimeDirectory=` in systemd.exec(5)), else one in /run for root, else one in the user's own runtime directory.
  package static func forMaster(name: String) -> String? {
    if let directory = runtimeDirectoryOfMaster() { return directory }
    return (geteuid() == 0 ? shared : own).map { "\($0)/\(name)" }
  }

  /// The first of the directories that systemd has made for a master that starts now. A master that a worker has started
  /// inherits the variable of another service, which ROOST_SERVICE names.
  package static func runtimeDirectoryOfMaster() -> String? {
    environment("ROOST_SERVICE") == nil ? runtimeDirectory() : nil
  }

  /// The first of the directories that systemd has made for this process, if it has.
  package static func runtimeDirectory() -> String? {
    guard let value = environment("RUNTIME_DIRECTORY"), let first = value.split(separator: ":").first,
      first.hasPrefix("/")
    else { return nil }
    return String(first)
  }

  /// The directories in which services of this machine, or of this user, have theirs. The first is where this user's
  /// own would be.
  package static func roots() -> [String] {
    (geteuid() == 0 ? [shared, own] : [own, shared]).compactMap(\.self)
  }

  /// Where services of root have theirs.
  private static var shared: String? { "/run/roost" }
  /// Where this user's own services have theirs, if there is a place: cron, for one, gives none.
  private static var own: String? {
    environment("XDG_RUNTIME_DIR").flatMap { $0.hasPrefix("/") ? "\($0)/roost" : nil }
  }

  private static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}
