import Glibc
import RoostCore
import RoostLog
import RoostProcess

/// A process that leaves its worker's group doesn't end with it, and keeps serving if it has a listener. What the
/// worker was given ends with the worker: so such a process drains like the rest of the group.
extension Workers {
  /// How often to look for processes that were started while the others were being killed.
  private static let rounds = 8
  /// How many of their descriptors are looked at in one go.
  private static let mostDescriptors = 65536

  /// Looks which processes have lost their parent since the last look.
  func lookForStrays() {
    var budget = Self.mostDescriptors
    lookForStrays(within: &budget)
  }

  private func lookForStrays(within budget: inout Int) {
    let sockets = listeners.inodes
    for pid in strays.look(beside: Set(running), processes) {
      // It was started in the moment in which the last process of its worker was killed. Its mark shows that it is a
      // worker's: if it can't be looked at, it counts as having a listener, as everywhere.
      let holds = OpenSockets.holds(pid, anyOf: sockets, within: &budget)
      if holds == false { continue }
      log.warning(
        "process \(pid), left behind by a worker that is gone, \(holds == nil ? "can't be looked at" : "has a listener"): killing it"
      )
      Glibc.kill(pid, SIGKILL)
    }
  }

  /// Finds out what is left of a worker that has exited. Returns the strays that are new.
  @discardableResult
  func findRemains(of process: WorkerProcess) -> [Stray] {
    var found: [Stray] = []
    // In a crowd none is looked at: all count as having a listener.
    var budget = strays.isCrowded(process) ? 0 : Self.mostDescriptors
    let survivors = strays.survivors(of: process)
    for survivor in survivors where !survivor.isInGroup && !process.strays.contains(where: { $0.pid == survivor.pid }) {
      if survivor.holdsListener(within: &budget) { found.append(Stray(survivor.pid, name: survivor.name)) }
    }
    process.strays += found
    process.leftBehind = survivors.filter { survivor in
      survivor.isInGroup || process.strays.contains { $0.pid == survivor.pid }
    }
    for stray in found { watch(stray, of: process) }
    for child in strays.takeOverlooked() {
      log.warning(
        "process \(child), left behind by \(process.title), has more descendants than the master looks at: some may be"
          + " serving")
    }
    return found
  }

  private func watch(_ stray: Stray, of process: WorkerProcess) {
    do {
      try stray.watch(in: loop) { [unowned self, unowned process, unowned stray] in
        process.strays.removeAll { $0 === stray }
        forgetEmptyRemains()
      }
    } catch {
      // If it is the master's child, a signal reports its end; otherwise its drain timeout ends the wait.
      log.error("\(error)")
    }
  }

  /// These children of the master were reaped.
  func forgetStrays(_ pids: Set<pid_t>) {
    for process in processes where !process.strays.isEmpty { process.strays.removeAll { pids.contains($0.pid) } }
    forgetEmptyRemains()
    cgroups?.removeEmpty()
  }

  /// Reports that nothing is left of workers that have exited. The last process of a group may have had a child that
  /// left the group and is the master's now.
  func forgetEmptyRemains() {
    let empty = processes.filter { $0.state == .remains && !$0.hasRemains }
    if empty.isEmpty { return }
    lookForStrays()
    for process in empty {
      let found = findRemains(of: process)
      if found.isEmpty { heard(.workerRemainsGone(process.id)) } else { drainLate(found, of: process) }
    }
  }

  private func drainLate(_ strays: [Stray], of process: WorkerProcess) {
    log.warning("\(process.title) left \(process.leftBehind.map(\.text).asProcesses) behind too")
    process.drain()
  }

  /// Continues with what workers had left behind under a former binary, which had told it to drain.
  func resumeRemains() {
    let remains = processes.filter { $0.state == .remains }
    if !remains.isEmpty { lookForStrays() }
    for process in remains { findRemains(of: process) }
  }

  func kill(_ id: WorkerID) {
    guard let process = process(id) else { return }
    process.kill()
    guard process.state == .remains else { return }
    killStrays(of: process)
    // In one line: there may be hundreds, and a journal that can't keep up loses what comes after them.
    let names = process.strays.map { "\($0.pid) (\($0.name))" }
    if !names.isEmpty {
      log.warning("\(names.asProcesses), left behind by \(process.title), \(names.count == 1 ? "is" : "are") killed")
    }
  }

  private func killStrays(of process: WorkerProcess) {
    // In one go, unless there is something that may stay.
    if let cgroup = process.cgroup {
      lookForStrays()
      findRemains(of: process)
      let isAll = strays.isCrowded(process) || Set(cgroup.processes).isSubset(of: process.leftBehind.map(\.pid))
      if isAll, cgroup.kill() { return }
    }
    // A killed process starts no other; the next look finds one that was started before that.
    var budget = Self.mostDescriptors
    for _ in 0..<Self.rounds {
      lookForStrays(within: &budget)
      let found = findRemains(of: process)
      if found.isEmpty { break }
      for stray in found { stray.signal(SIGKILL) }
    }
  }
}

extension [String] {
  /// More than these are only counted.
  static let shownProcesses = 5

  /// `process 12 (sh)`, `processes 12 (sh) and 13 (tail)`.
  var asProcesses: String {
    let shown = Self.shownProcesses
    switch count {
    case 0: return "processes"
    case 1: return "process \(self[0])"
    case ...shown: return "processes \(dropLast().joined(separator: ", ")) and \(self[count - 1])"
    default: return "processes \(prefix(shown).joined(separator: ", ")) and \(count - shown) more"
    }
  }
}
