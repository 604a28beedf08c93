import CRoostSystemd

/// What the process tells the supervisor that started it (sd_notify(3)).
public enum ServiceNotification {
  /// Sends newline-separated assignments. Without `NOTIFY_SOCKET` nothing is sent, and that is no failure.
  public static func send(_ assignments: String) throws(SystemdError) {
    try SystemdError.check("notify systemd", sd_notify(0, assignments))
  }

  /// Sends assignments together with a descriptor, of which the caller keeps its own copy (sd_pid_notify_with_fds(3)).
  public static func send(_ assignments: String, with descriptor: Int32) throws(SystemdError) {
    var descriptor = descriptor
    try SystemdError.check("notify systemd", sd_pid_notify_with_fds(0, 0, assignments, &descriptor, 1))
  }
}
