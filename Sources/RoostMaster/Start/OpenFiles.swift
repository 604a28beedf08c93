import Glibc
import RoostConfiguration

/// How many descriptors the master may have, which needs several for each worker, and how many its workers may have.
/// The usual soft limit is made for these: some programs still take memory or time for each possible descriptor.
struct OpenFiles {
  /// The limits that the master was started with.
  private let former: rlimit

  /// Raises the limit as far as possible.
  init() {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    former = limit
    raise()
  }

  /// What a worker gets, unless its configuration says otherwise.
  var forWorkers: ResourceLimit {
    ResourceLimit(
      resource: Int32(RLIMIT_NOFILE.rawValue), soft: UInt64(former.rlim_cur), hard: UInt64(former.rlim_max))
  }

  /// How many there can be.
  static var limit: UInt64 {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return UInt64(limit.rlim_cur)
  }

  func raise() {
    set(rlimit(rlim_cur: former.rlim_max, rlim_max: former.rlim_max))
  }

  /// For the binary that is executed next, which does the same again. What is open stays open.
  func giveBack() {
    set(former)
  }

  private func set(_ limit: rlimit) {
    var limit = limit
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
