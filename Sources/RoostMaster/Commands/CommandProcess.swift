import Glibc
import RoostCore

/// A running command of the operator's.
final class CommandProcess {
  /// Also the number of its process group.
  let pid: pid_t
  let output: WorkerOutput

  init(pid: pid_t, output: WorkerOutput) {
    self.pid = pid
    self.output = output
  }

  /// Ends its process group. Being the leader of a session, it can't have left the group itself.
  func kill() { Glibc.kill(-pid, SIGKILL) }
}

/// One that runs as a hook.
struct HookProcess {
  let hook: Hook
  let generation: Generation
  let command: CommandProcess
  /// Its exit was read, but isn't handled yet.
  var isReaped = false

  struct Saved: Codable {
    let hook: Hook
    let generation: Generation
    let pid: pid_t
    let output: [OutputStream.Saved]
  }

  var saved: Saved { Saved(hook: hook, generation: generation, pid: command.pid, output: command.output.saved) }
}
