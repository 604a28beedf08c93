import CRoostMaster
import Glibc
import RoostLog
import RoostProcess

/// What the master's processes have left behind, and has not ended with them. Being a subreaper, the master is its parent
/// by now.
struct Orphans {
  /// How long they may take from the stop signal to their exit.
  private static let patienceSeconds = 5

  /// How long one that was sent SIGKILL may take: it can be in the midst of a system call that nothing interrupts.
  private static let killMicroseconds: UInt64 = 10_000_000
  /// How long what closes a descriptor may take before it is killed: if it were killed before it began, the master would have
  /// to close that at its exit, and perhaps wait.
  private static let closeMicroseconds: UInt64 = 1_000_000
  /// What an operator sends who doesn't want to wait.
  private static let impatience = [SIGQUIT, SIGTERM, SIGINT]

  let stopSignal: Int32
  let log: Log
  let strays: Strays
  /// What has worked for the master itself, and ends by itself or was killed. It isn't worth a word.
  let own: Set<pid_t>

  /// Stops and reaps every child there is, and the children that these leave; `atOnce` kills them, and so does an operator's
  /// further signal. Returns when there is none, or when one can't be killed: then false.
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
      // Those that the kernel holds take nothing with them.
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
          log.error("cannot tell which processes are left behind")
          return false
        }
        if now >= deadline + Self.killMicroseconds {
          log.error(
            "processes can't be killed, since the kernel holds them: \(children.map(String.init).joined(separator: ", "))"
          )
          return false
        }
        for pid in children where !(mayClose && roost_is_helper(pid)) {
          if killed.insert(pid).inserted, !isOwn(pid) { tellKill(pid, isPatient: isPatient) }
          kill(pid, SIGKILL)
        }
        // Some may be inside the kernel for a while yet, and their children become the master's only after them.
        _ = Self.waitForChange(microseconds: 1_000_000)
      }
    }
    return true
  }

  /// Reaps what closes the master's last descriptors. What the kernel holds meanwhile isn't waited for.
  static func awaitHelpers() {
    let deadline = Clock.now().microseconds + closeMicroseconds
    // Only these: where the master had to end, its workers go on to drain.
    while hasChildren(), ProcessTree.ownChildren().contains(where: roost_is_helper) {
      let now = Clock.now().microseconds
      if now >= deadline { return }
      _ = waitForChange(microseconds: deadline - now)
    }
  }

  /// What only closes a descriptor isn't worth a word either, nor the time that it takes.
  private func isOwn(_ pid: pid_t) -> Bool { own.contains(pid) || roost_is_helper(pid) }

  private func tellKill(_ pid: pid_t, isPatient: Bool) {
    let reason = isPatient ? "did not end within \(Self.patienceSeconds) s: killing it" : "is killed at once"
    log.warning("\(title(of: pid)) \(reason)")
  }

  private func tell(_ pid: pid_t) {
    log.info("\(title(of: pid)) was sent \(signalName(stopSignal))")
    kill(pid, stopSignal)
    // What is stopped can't end.
    kill(pid, SIGCONT)
  }

  private func title(of pid: pid_t) -> String {
    let name = ProcessFacts(of: pid).map { " (\($0.name))" } ?? ""
    return "process \(pid)\(name), left behind by \(strays.origin(of: pid)),"
  }

  /// Reaps what has ended. Whether anything is left.
  private static func hasChildren() -> Bool {
    var exit = roost_exit()
    var result: Int32
    repeat { result = roost_reap(&exit) } while result == 1
    return result == 0
  }

  /// Waits for an exit or for an impatient operator. Returns the signal, or -1 when the time is over.
  private static func waitForChange(microseconds: UInt64) -> Int32 {
    var set = ManagedSignals.set([SIGCHLD] + Self.impatience)
    var time = timespec(tv_sec: Int(microseconds / 1_000_000), tv_nsec: Int(microseconds % 1_000_000) * 1000)
    return sigtimedwait(&set, nil, &time)
  }
}
