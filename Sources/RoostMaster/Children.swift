import CRoostMaster
import Glibc
import RoostCore

/// What has become of the master's children.
enum Children {
  /// One that has exited, or was killed.
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

  /// How many exits are read before others get their turn: a worker may leave behind any number of children.
  private static let mostExits = 256
  /// How many stops are read, which any child that a worker has left behind may cause as often as it likes.
  private static let mostStops = 256

  /// Reads every exit there is: signals coalesce, so one SIGCHLD may stand for many. Returns whether there may be more.
  static func exits() -> (all: [Exit], mayBeMore: Bool) {
    var all: [Exit] = []
    var exit = roost_exit()
    while all.count < mostExits, roost_reap(&exit) == 1 { all.append(Exit(pid: exit.pid, cause: ExitCause(exit))) }
    return (all, all.count == mostExits)
  }

  /// Reads which children were stopped, by whatever, and which continue. Returns whether there may be more.
  static func stops() -> (all: [Stop], mayBeMore: Bool) {
    var all: [Stop] = []
    var stop = roost_stop()
    while all.count < mostStops, roost_take_stop(&stop) == 1 {
      all.append(Stop(pid: stop.pid, signal: stop.is_stopped ? stop.signal : nil))
    }
    return (all, all.count == mostStops)
  }
}

extension ExitCause {
  init(_ exit: roost_exit) {
    self =
      exit.signalled ? .signalled(exit.number, dumpedCore: exit.dumped_core) : .exited(status: exit.number)
  }
}
