import CRoostMaster
import Glibc
import RoostLog
import RoostProcess

/// What the master's processes have left behind, and what hasn't ended with them. The master, being a subreaper, is its
/// parent by now.
struct Orphans {
  /// How long they may take from the stop signal to their exit.
  private static let patienceSeconds = 5

  /// How long one that was sent SIGKILL may take: it can be in the middle of a system call that nothing interrupts.
  private static let killMicroseconds: UInt64 = 10_000_000
  /// How long a process that closes a descriptor may take before it is killed: if it were killed before it began, the
  /// master would have to close that at its exit, and perhaps wait.
  private static let closeMicroseconds: UInt64 = 1_000_000
  /// What an operator who doesn't want to wait sends.
  private static let impatience = [SIGQUIT, SIGTERM, SIGINT]

  let stopSignal: Int32
  let log: Log
  let strays: Strays

  /// Stops and reaps every child there is, and the children that these leave; `atOnce` kills them, and so does an
  /// operator's further signal. Returns when there is none left, or false when one can't be killed.
  func stop(atOnce: Bool) -> Bool {
    var told: Set<pid_t> = []
    var killed: Set<pid_t> = []
    var isPatient = !atOnce
    let began = Clock.now().microseconds
    var deadline = began + (atOnce ? 0 : UInt64(Self.patienceSeconds) * 1_000_000)
    while Self.hasChildren() {
      let now = Clock.now().microseconds
      let children = ProcessTree.ownChildren()
      let mayClose = now < began + Self.closeMicroseconds
      // Those that hang in the kernel take nothing with them.
      if !mayClose, !children.isEmpty, children.allSatisfy(roost_is_helper) {
        children.forEach { kill($0, SIGKILL) }
        return true
      }
      if now < deadline {
        for pid in children where !mayClose && roost_is_helper(pid) { kill(pid, SIGKILL) }
        for pid in children where !isOwn(pid) && told.insert(pid).inserted { tell(pid) }
        let wait = min(deadline - now, Self.closeMicroseconds)
        if Self.impatience.contains(Self.waitForChange(microseconds: wait)) {
          isPatient = false
          deadline = now
        }
      } else {
        guard !children.isEmpty else {
          log.error("cannot find out which processes are left behind")
          return false
        }
        if now >= deadline + Self.killMicroseconds {
          log.error(
            "processes can't be killed, because they hang in the kernel:"
              + " \(children.map(String.init).joined(separator: ", "))")
          return false
        }
        for pid in children where !(mayClose && roost_is_helper(pid)) {
          if killed.insert(pid).inserted, !isOwn(pid) { tellKill(pid, isPatient: isPatient) }
          kill(pid, SIGKILL)
        }
        // Some may stay inside the kernel for a while, and their children only become the master's after them.
        _ = Self.waitForChange(microseconds: 1_000_000)
      }
    }
    return true
  }

  /// Reaps the processes that close the master's last descriptors. It doesn't wait for those that hang in the kernel.
  static func awaitHelpers() {
    let deadline = Clock.now().microseconds + closeMicroseconds
    // Only these: if the master had to end, its workers keep draining.
    while hasChildren(), ProcessTree.ownChildren().contains(where: roost_is_helper) {
      let now = Clock.now().microseconds
      if now >= deadline { return }
      _ = waitForChange(microseconds: deadline - now)
    }
  }

  /// What has worked for the master itself, or only closes a descriptor, isn't worth a message.
  private func isOwn(_ pid: pid_t) -> Bool { OwnProcesses.pids.contains(pid) || roost_is_helper(pid) }

  private func tellKill(_ pid: pid_t, isPatient: Bool) {
    let reason = isPatient ? "did not end within \(Self.patienceSeconds) s: killing it" : "is killed at once"
    log.warning("\(title(of: pid)) \(reason)")
  }

  private func tell(_ pid: pid_t) {
    log.info("\(title(of: pid)) was sent \(signalName(stopSignal))")
    kill(pid, stopSignal)
    // A stopped process can't end.
    kill(pid, SIGCONT)
  }

  private func title(of pid: pid_t) -> String {
    let name = ProcessFacts(of: pid).map { " (\($0.name))" } ?? ""
    return "process \(pid)\(name), left behind by \(strays.origin(of: pid)),"
  }

  /// Reaps what has ended. Returns whether anything is left.
  private static func hasChildren() -> Bool {
    var news = roost_news()
    var result: Int32
    repeat { result = roost_reap(&news) } while result == 1
    return result == 0
  }

  /// Waits for an exit or for an impatient operator. Returns the signal, or -1 when the time is over.
  private static func waitForChange(microseconds: UInt64) -> Int32 {
    var set = ManagedSignals.set([SIGCHLD] + Self.impatience)
    var time = timespec(tv_sec: Int(microseconds / 1_000_000), tv_nsec: Int(microseconds % 1_000_000) * 1000)
    return sigtimedwait(&set, nil, &time)
  }
}
