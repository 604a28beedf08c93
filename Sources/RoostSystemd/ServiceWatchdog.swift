import CRoostSystemd

/// The watchdog of the supervisor that started this process (`WatchdogSec=` in systemd.service(5)).
package enum ServiceWatchdog {
  /// Within how many µs it wants to hear `WATCHDOG=1` again (sd_watchdog_enabled(3)); nil if it doesn't, or if another
  /// process was asked.
  package static func microseconds() throws(SystemdError) -> UInt64? {
    var microseconds: UInt64 = 0
    let result = sd_watchdog_enabled(0, &microseconds)
    try SystemdError.check("read WATCHDOG_USEC and WATCHDOG_PID", result)
    return result > 0 ? microseconds : nil
  }
}
