import Glibc
import RoostConfiguration

/// How many descriptors the master may have, which needs several for each worker, and how many its workers may have.
/// The usual soft limit is made for these: some programs still take memory or time for each possible descriptor.
struct OpenFiles {
  /// Given back to the binary that is executed next, which does the same again. What is open stays open.
  let limit = RaisedLimit(RLIMIT_NOFILE)

  /// What a worker gets, unless its configuration says otherwise.
  var forWorkers: ResourceLimit {
    ResourceLimit(
      resource: Int32(RLIMIT_NOFILE.rawValue), soft: UInt64(limit.former.rlim_cur),
      hard: UInt64(limit.former.rlim_max))
  }

  static var current: UInt64 { UInt64(RaisedLimit.current(RLIMIT_NOFILE).rlim_cur) }
}
