import Glibc
import RoostCore

/// A running command of the operator.
final class HookProcess {
  let hook: Hook
  let generation: Generation
  /// Also the number of its process group.
  let pid: pid_t
  let output: WorkerOutput
  /// Its exit was read, but isn't handled yet.
  var isReaped = false

  init(hook: Hook, generation: Generation, pid: pid_t, output: WorkerOutput) {
    self.hook = hook
    self.generation = generation
    self.pid = pid
    self.output = output
  }

  /// What an upgrade hands over.
  struct Saved: Codable {
    let hook: Hook
    let generation: Generation
    let pid: pid_t
    let output: [OutputStream.Saved]
  }

  var saved: Saved { Saved(hook: hook, generation: generation, pid: pid, output: output.saved) }

  /// Ends its process group. Being the leader of a session, it can't have left the group itself.
  func kill() {
    Glibc.kill(-pid, SIGKILL)
  }
}
