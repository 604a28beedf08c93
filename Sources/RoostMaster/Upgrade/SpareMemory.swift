import Glibc

/// Memory that a process could have at once, if it needed it. Swift ends a process that gets none: if a limit is close
/// (RLIMIT_DATA, RLIMIT_AS), whatever can be left undone has to be left undone before.
enum SpareMemory {
  /// For writing the state of an upgrade, which takes half of this for a thousand workers.
  static let forState = 16 << 20
  /// For what a master does after it has taken over.
  static let forGoingOn = 8 << 20

  /// Throws if there isn't that much.
  static func check(_ size: Int) throws(MasterError) {
    let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard memory != MAP_FAILED else {
      throw MasterError(
        cannot: "have \(size >> 20) MiB more memory",
        hint: "one of the master's limits is too low: RLIMIT_DATA or RLIMIT_AS, LimitDATA= or LimitAS= of a unit")
    }
    munmap(memory, size)
  }
}
