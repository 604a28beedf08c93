import Glibc

/// A limit of this process, raised as far as possible (getrlimit(2)).
struct RaisedLimit {
  private let resource: __rlimit_resource_t
  /// What the process had before.
  let former: rlimit

  init(_ resource: __rlimit_resource) {
    self.resource = __rlimit_resource_t(resource.rawValue)
    former = Self.current(resource)
    raise()
  }

  static func current(_ resource: __rlimit_resource) -> rlimit {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(resource.rawValue), &limit)
    return limit
  }

  func raise() { set(rlimit(rlim_cur: former.rlim_max, rlim_max: former.rlim_max)) }

  func giveBack() { set(former) }

  private func set(_ limit: rlimit) {
    var limit = limit
    setrlimit(resource, &limit)
  }
}
