import Glibc

/// Cgroups of version 2 (cgroups(7)).
package enum ControlGroup {
  /// Where the one hierarchy of version 2 is mounted, also beside those of version 1.
  private static let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]

  /// The directories that may be that of this process's cgroup.
  package static func ownDirectories() -> [String] {
    guard let content = ProcessFile.contents("/proc/self/cgroup"), let path = path(parsing: content) else { return [] }
    return mounts.map { path == "/" ? $0 : $0 + path }
  }

  /// Reads lines such as `0::/system.slice/web.service`, of which the one of version 2 begins so. nil if there is none,
  /// or if it is outside what this process may see.
  package static func path(parsing content: ArraySlice<UInt8>) -> String? {
    for line in content.lines {
      guard let path = line.after("0::"), path.first == UInt8(ascii: "/"), path.after("/..") == nil else { continue }
      return String(decoding: path, as: UTF8.self)
    }
    return nil
  }

  /// The pids of the processes in a cgroup, without those of cgroups below it.
  package static func processes(in directory: String) -> [pid_t] {
    // One per line, and 0 for those of an outer PID namespace.
    ProcessFile.contents("\(directory)/cgroup.procs").map { ProcessTree.children(parsing: $0) } ?? []
  }
}
