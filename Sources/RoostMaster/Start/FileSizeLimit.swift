import Glibc

/// How large a file that this process writes may become (RLIMIT_FSIZE in getrlimit(2)), memory files included. An
/// operator who limits logs doesn't mean the state that is handed over.
struct FileSizeLimit {
  private let former: rlimit

  init() {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    former = limit
  }

  /// As far as possible.
  func raise() { set(rlimit(rlim_cur: former.rlim_max, rlim_max: former.rlim_max)) }

  func giveBack() { set(former) }

  private func set(_ limit: rlimit) {
    var limit = limit
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
  }
}
