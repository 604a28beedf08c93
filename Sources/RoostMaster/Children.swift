import CRoostMaster
import Glibc
import RoostCore

/// What has become of the master's children.
enum Children {
  struct Exit {
    let pid: pid_t
    let cause: ExitCause
  }

  /// One that was stopped by a signal, or continues.
  struct Stop {
    let pid: pid_t
    /// nil if it continues.
    let signal: Int32?
  }

  /// How many are read before others get their turn: a worker may leave behind any number of children, and each of these
  /// may be stopped as often as it likes.
  private static let most = 256

  /// Reads every exit there is: signals coalesce, so one SIGCHLD may stand for many. Returns whether there may be more.
  static func exits() -> (all: [Exit], mayBeMore: Bool) {
    read(roost_reap) { Exit(pid: $0.pid, cause: ExitCause($0)) }
  }

  /// Reads which children were stopped, by whatever, and which continue. Returns whether there may be more.
  static func stops() -> (all: [Stop], mayBeMore: Bool) {
    read(roost_take_stop) { Stop(pid: $0.pid, signal: $0.code == CLD_CONTINUED ? nil : $0.number) }
  }

  private static func read<News>(
    _ take: (UnsafeMutablePointer<roost_news>) -> Int32, _ make: (roost_news) -> News
  ) -> (all: [News], mayBeMore: Bool) {
    var all: [News] = []
    var news = roost_news()
    while all.count < most, take(&news) == 1 { all.append(make(news)) }
    return (all, all.count == most)
  }
}

extension ExitCause {
  init(_ news: roost_news) {
    self =
      news.code == CLD_EXITED
      ? .exited(status: news.number) : .signalled(news.number, dumpedCore: news.code == CLD_DUMPED)
  }
}
