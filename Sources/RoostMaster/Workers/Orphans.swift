import CRoostLinux
import Glibc
import RoostLog

/// What workers have left behind outside their process groups. Being a subreaper, the master is its parent by now.
struct Orphans {
  /// How long they may take from the stop signal to their exit.
  private static let patienceSeconds = 5

  let stopSignal: Int32
  let log: Log

  /// Stops and reaps every child there is, and the children that these leave. Returns when there is none.
  func stop() {
    var told: Set<pid_t> = []
    var killed: Set<pid_t> = []
    var deadline = Clock.now().microseconds + UInt64(Self.patienceSeconds) * 1_000_000
    while hasChildren() {
      let now = Clock.now().microseconds
      let children = Self.children()
      if now < deadline {
        for pid in children where told.insert(pid).inserted { tell(pid) }
        if waitForChange(microseconds: deadline - now) == SIGQUIT { deadline = now }
      } else {
        guard !children.isEmpty else { return log.error("cannot tell which processes are left behind") }
        for pid in children {
          if killed.insert(pid).inserted {
            log.warning(
              "process \(pid), left behind by a worker, did not end within \(Self.patienceSeconds) s: killing it")
          }
          kill(pid, SIGKILL)
        }
        // Some may be inside the kernel for a while yet, and their children become the master's only after them.
        _ = waitForChange(microseconds: 1_000_000)
      }
    }
  }

  private func tell(_ pid: pid_t) {
    log.info("process \(pid), left behind by a worker, was sent \(signalName(stopSignal))")
    kill(pid, stopSignal)
  }

  /// Reaps what has ended. Whether anything is left.
  private func hasChildren() -> Bool {
    var exit = roost_exit()
    var result: Int32
    repeat { result = roost_reap(&exit) } while result == 1
    return result == 0
  }

  /// Waits for an exit or for an impatient operator. Returns the signal, or -1 when the time is over.
  private func waitForChange(microseconds: UInt64) -> Int32 {
    var set = ManagedSignals.set([SIGCHLD, SIGQUIT])
    var time = timespec(tv_sec: Int(microseconds / 1_000_000), tv_nsec: Int(microseconds % 1_000_000) * 1000)
    return sigtimedwait(&set, nil, &time)
  }

  /// The pids of all children (proc_pid_children(5)).
  private static func children() -> [pid_t] {
    let number = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { return [] }
    let descriptor = Descriptor(adopting: number)
    var content = [UInt8](repeating: 0, count: 16384)
    let count = read(descriptor.number, &content, content.count)
    guard count > 0 else { return [] }
    return String(decoding: content[..<count], as: UTF8.self).split(separator: " ").compactMap { pid_t($0) }
  }
}
