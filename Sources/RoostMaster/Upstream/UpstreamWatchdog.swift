import Glibc
import RoostSystemd

/// Tells the supervisor above that the event loop runs, twice as often as it demands.
final class UpstreamWatchdog {
  private let interval: UInt64
  private let channel: UpstreamChannel
  private var timer: Timer?

  /// A watchdog, or nil if none is demanded. Throws if the demand can't be read: otherwise the supervisor above, which
  /// would never hear anything, would kill the master later.
  init?(_ channel: UpstreamChannel) throws(MasterError) {
    do {
      guard let microseconds = try ServiceWatchdog.microseconds() else { return nil }
      interval = microseconds / 2
    } catch {
      let names = ["WATCHDOG_USEC", "WATCHDOG_PID"]
      let found = names.compactMap { (name: String) -> String? in
        getenv(name).map { "\(name) is \"\(String(cString: $0))\"" }
      }
      throw MasterError(
        "cannot set up the watchdog: \(found.joined(separator: " and ")), and that isn't what systemd sets; unset it")
    }
    self.channel = channel
  }

  /// Makes what it needs.
  func prepare(in loop: EventLoop) throws(SystemdError) {
    // As everything else may, it comes after signals: a loop that is kept from them is one that hangs.
    timer = try loop.timer(priority: .normal) { [unowned self] in tell() }
  }

  /// Tells it for the first time.
  func begin() { tell() }

  private func tell() {
    channel.send(UpstreamMessage(.watchdog, "WATCHDOG=1"))
    timer?.set(Clock.now().microseconds + interval)
  }
}
