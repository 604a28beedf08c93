import Glibc

/// A limit on a resource of each worker process (getrlimit(2)).
package struct ResourceLimit: Hashable, Sendable, Codable {
  /// The resources that can be limited: their names here, and their numbers.
  package static let resources: [(name: String, number: Int32)] = [
    ("open-files", Int32(RLIMIT_NOFILE.rawValue)), ("processes", Int32(__RLIMIT_NPROC.rawValue)),
    ("core-size", Int32(RLIMIT_CORE.rawValue)), ("file-size", Int32(RLIMIT_FSIZE.rawValue)),
    ("stack-size", Int32(RLIMIT_STACK.rawValue)), ("data-size", Int32(RLIMIT_DATA.rawValue)),
    ("address-space", Int32(RLIMIT_AS.rawValue)), ("cpu-seconds", Int32(RLIMIT_CPU.rawValue)),
    ("locked-memory", Int32(__RLIMIT_MEMLOCK.rawValue)),
  ]

  package let resource: Int32
  /// What the kernel enforces, or nil for no limit.
  package let soft: UInt64?
  /// What the worker may raise the soft limit to, or nil for no limit.
  package let hard: UInt64?

  package init(resource: Int32, soft: UInt64?, hard: UInt64?) {
    self.resource = resource
    self.soft = soft
    self.hard = hard
  }
}
