import CRoostSystemd

/// What the process tells the supervisor that started it (sd_notify(3)).
public enum ServiceNotification {
  /// Sends newline-separated assignments. Without `NOTIFY_SOCKET` nothing is sent, and that is no failure.
  public static func send(_ assignments: String) throws(SystemdError) {
    try SystemdError.check("notify systemd", sd_notify(0, assignments))
  }
}
