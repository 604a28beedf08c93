import RoostCore
import RoostSystemd

/// Makes the master look at the accept queues again and again while a reload runs, and only then: an idle master has
/// nothing to wake up for.
final class QueueSampler {
  /// Short against the start of a worker, and a handful of system calls each time.
  private static let interval: Duration = .milliseconds(20)

  /// What is known of the last reload that ended.
  var lastEvidence: ReloadEvidence?
  private var timer: Timer?
  private var isRunning = false

  /// Calls the handler as long as it runs.
  func watch(in loop: EventLoop, _ sample: @escaping () -> Void) throws(SystemdError) {
    // Everything else comes first: a late sample is merely one sample fewer.
    timer = try loop.timer(priority: .last) { [unowned self] in
      sample()
      arm()
    }
  }

  func setRunning(_ isRunning: Bool) {
    guard isRunning != self.isRunning else { return }
    self.isRunning = isRunning
    arm()
  }

  private func arm() {
    timer?.set(isRunning ? (Clock.now() + Self.interval).microseconds : nil)
  }

  func begin(_ listeners: [Listener]) {
    for listener in listeners {
      listener.sampleQueue()
      listener.beginReload()
    }
  }

  /// The reload to this generation has ended.
  func end(_ generation: Generation, _ listeners: [Listener]) {
    for listener in listeners { listener.sampleQueue() }
    lastEvidence = ReloadEvidence(of: generation, listeners)
  }
}
