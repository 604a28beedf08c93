import Glibc

/// The operator's command that probes a worker.
final class ProbeCommand {
  /// Also the number of its process group.
  let pid: pid_t
  let output: WorkerOutput
  private var hasExited = false

  init(pid: pid_t, output: WorkerOutput) {
    self.pid = pid
    self.output = output
  }

  /// Its exit was read. Until then its pid is its own.
  func exited() {
    hasExited = true
    output.finish()
  }

  /// Ends it and everything it has started.
  func kill() {
    if !hasExited { Glibc.kill(-pid, SIGKILL) }
  }
}
