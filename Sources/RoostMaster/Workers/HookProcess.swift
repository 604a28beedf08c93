import Glibc
import RoostCore

/// A command of the operator's that runs.
final class HookProcess {
  let hook: Hook
  let generation: Generation
  /// Also the number of its process group.
  let pid: pid_t
  let output: WorkerOutput
  /// Its exit was read, and isn't handled yet.
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

  /// Ends its process group, and itself wherever it is: it may have left the group.
  func kill() {
    Glibc.kill(-pid, SIGKILL)
    // The pid of a reaped one may be another's by now.
    if !isReaped { Glibc.kill(pid, SIGKILL) }
  }
}
