import Glibc
import RoostCore

/// CLOCK_MONOTONIC (clock_gettime(2)): it never jumps, and it stands still while the machine is suspended, as the
/// workers do.
enum Clock {
  static func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(sinceOrigin: .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec))
  }

  /// What people call the time, in µs since 1970.
  static func time() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
  }
}

extension Instant {
  /// In µs of CLOCK_MONOTONIC, rounded up, so that a timer never goes off before it.
  var microseconds: UInt64 {
    let parts = sinceOrigin.components
    return UInt64(parts.seconds) * 1_000_000 + UInt64((parts.attoseconds + 999_999_999_999) / 1_000_000_000_000)
  }
}
