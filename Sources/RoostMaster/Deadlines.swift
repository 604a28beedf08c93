import RoostCore
import RoostSystemd

/// When the supervisor is told that time has passed, by a clock that stands still while nothing ran.
final class Deadlines {
  private(set) var clock: ServiceClock
  private var timer: Timer?

  init(_ clock: ServiceClock = ServiceClock()) {
    self.clock = clock
  }

  var now: Instant { clock.reading(at: Clock.now()) }

  /// Calls the handler when something is due, or when it is time to check.
  func watch(in loop: EventLoop, _ passed: @escaping () -> Void) throws(SystemdError) {
    timer = try loop.timer(priority: .late, passed)
  }

  /// How long nothing ran since the last look, if that was long.
  func look() -> Duration? { clock.look(at: Clock.now()) }

  /// The master itself was held until now.
  func wasHeld() { clock.wasHeld(until: Clock.now()) }

  /// Wakes the master when something is due, and before that if a stall would cost a worker its time.
  func set(for supervisor: Supervisor) {
    let look = clock.nextLook(before: supervisor.nextPressingDeadline, at: Clock.now())
    timer?.set(earliest(look, supervisor.nextDeadline.map(clock.time))?.microseconds)
  }
}
