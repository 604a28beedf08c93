import CRoostMaster
import Glibc
import RoostCore
import RoostLog
import RoostProcess

/// A cgroup for each worker, if systemd has delegated the unit's. No process gets out of it, and the kernel kills all
/// of it in one go. Without one, `Strays` finds what it can.
final class Cgroups {
  /// The master's own cgroup. systemd wants the unit's to be empty, and from version 254 on it makes this one itself
  /// (`DelegateSubgroup=`).
  private static let leaf = "master"
  private static let turn = 8

  /// The unit's cgroup.
  private let directory: String
  /// Those of workers that are gone, with processes in them that may stay.
  private var abandoned: [WorkerCgroup] = []

  /// Looks for a delegated cgroup, and moves the master into its leaf. Throws if there is one that can't be used.
  static func delegated() throws(MasterError) -> Cgroups? {
    for own in ControlGroup.ownDirectories() {
      if roost_is_delegated(own) {
        let cgroups = Cgroups(own)
        try cgroups.moveMaster()
        return cgroups
      }
      // This is where an upgraded master finds itself.
      if own.hasSuffix("/\(leaf)") {
        let unit = String(own.dropLast(leaf.utf8.count + 1))
        if roost_is_delegated(unit) { return Cgroups(unit) }
      }
    }
    return nil
  }

  /// The same for a master, which can do without.
  static func ofUnit(_ log: Log) -> Cgroups? {
    do {
      return try delegated()
    } catch {
      log.info("the unit's cgroup is delegated, but workers get no cgroups of their own: \(error)")
      return nil
    }
  }

  private init(_ directory: String) {
    self.directory = directory
  }

  private func moveMaster() throws(MasterError) {
    let leaf = "\(directory)/\(Self.leaf)"
    guard Self.makeDirectory(leaf) || errno == EEXIST else { throw MasterError(cannot: "make the cgroup \(leaf)") }
    guard WorkerCgroup.write("0", to: "\(leaf)/cgroup.procs") else {
      throw MasterError(cannot: "enter the cgroup \(leaf)")
    }
  }

  /// Makes one for a worker; nil if that isn't possible, for example because there are too many
  /// (`cgroup.max.descendants`).
  func make(for id: WorkerID) -> WorkerCgroup? {
    // The name has the pid: cgroups that workers of a former master have left may still be there.
    let cgroup = WorkerCgroup("worker-\(getpid())-\(id.number)", in: directory)
    return Self.makeDirectory(cgroup.directory) ? cgroup : nil
  }

  /// Workers of any user read their limits there, and tools read their usage, whatever the umask.
  private static func makeDirectory(_ path: String) -> Bool { FileMask.with(0o022) { mkdir(path, 0o755) == 0 } }

  /// One that a former binary made.
  func restore(_ name: String) -> WorkerCgroup { WorkerCgroup(name, in: directory) }

  /// Removes the cgroup of a worker that is gone, now or as soon as it is empty.
  func remove(_ cgroup: WorkerCgroup) {
    if rmdir(cgroup.directory) != 0 { abandoned.append(cgroup) }
  }

  /// A process has ended: removes what has become empty, looking at a few each time.
  func removeEmpty() {
    for _ in 0..<min(Self.turn, abandoned.count) { remove(abandoned.removeFirst()) }
  }
}

/// The cgroup of a worker and of all that descends from it.
struct WorkerCgroup {
  let name: String
  fileprivate let directory: String

  fileprivate init(_ name: String, in parent: String) {
    self.name = name
    directory = "\(parent)/\(name)"
  }

  /// A descriptor by which a process enters when it is started; -1 if it isn't available.
  func entrance() -> Int32 { open("\(directory)/cgroup.procs", O_WRONLY | O_CLOEXEC) }

  var processes: [pid_t] { ControlGroup.processes(in: directory) }

  /// Kills all that is in it and below, including what is being forked. Returns whether the kernel can: since 5.14.
  func kill() -> Bool { Self.write("1", to: "\(directory)/cgroup.kill") }

  /// Returns whether it was written; if not, errno says why.
  fileprivate static func write(_ text: StaticString, to path: String) -> Bool {
    let number = open(path, O_WRONLY | O_CLOEXEC)
    guard number >= 0 else { return false }
    let count = Glibc.write(number, text.utf8Start, text.utf8CodeUnitCount)
    let error = errno
    close(number)
    errno = error
    return count == text.utf8CodeUnitCount
  }
}
