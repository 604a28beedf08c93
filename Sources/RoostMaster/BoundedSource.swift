import RoostSystemd

/// A source of the loop that can't keep others from their turn, however much comes. Its owner reads a bounded amount
/// each time it is called, and says whether that was all.
///
/// The loop takes whatever has the highest priority, and of sources of the same priority the one that has waited
/// longest. So a source that always has more, or many that take turns, would keep all of a lower priority waiting for
/// ever. One that has more than its owner reads in a turn comes last until it has been read to its end; one that is
/// read to its end and is ready again at once comes last, too, after some turns, until all others have had theirs.
final class BoundedSource {
  /// How a source waits once it has had enough turns for now.
  enum Rest {
    /// It comes last.
    case last
    /// It isn't looked at. A signal then stays with the kernel, even when the master executes its new binary.
    case unheard
    /// It doesn't wait: it ends the service.
    case never
  }

  /// How many turns it may take before all others have had theirs.
  private static let maximumTurns = 8

  private let loop: EventLoop
  private let priority: EventLoop.Priority
  private let rest: Rest
  private var source: Source?
  /// Since all others have had theirs.
  private var turns = 0
  private var isResting = false

  /// Whether more has come than the owner has read.
  var hasMore = false {
    didSet { if hasMore != oldValue { setPriority() } }
  }

  /// Handles a descriptor that is readable or hung up, as long as it is.
  convenience init(
    readable descriptor: Int32, in loop: EventLoop, priority: EventLoop.Priority, _ handler: @escaping () -> Void
  ) throws(SystemdError) {
    self.init(loop, priority, .last)
    source = try loop.onReadable(descriptor, priority: priority, counting(handler))
  }

  /// Handles a signal, which must be blocked.
  convenience init(
    signal: Int32, in loop: EventLoop, priority: EventLoop.Priority, rest: Rest,
    _ handler: @escaping (SignalSender) -> Void
  ) throws(SystemdError) {
    self.init(loop, priority, rest)
    source = try loop.onSignal(signal, priority: priority) { [weak self] sender in
      self?.beginTurn()
      handler(sender)
    }
  }

  private init(_ loop: EventLoop, _ priority: EventLoop.Priority, _ rest: Rest) {
    self.loop = loop
    self.priority = priority
    self.rest = rest
  }

  /// Nothing keeps this alive while it is handled: an owner that lets go of it closes the descriptor next.
  private func counting(_ handler: @escaping () -> Void) -> () -> Void {
    return { [weak self] in
      self?.beginTurn()
      handler()
    }
  }

  private func beginTurn() {
    turns += 1
    if turns == 1 { loop.atRoundEnd { [weak self] in self?.endRound() } }
    if turns == Self.maximumTurns { setResting(true) }
  }

  private func endRound() {
    turns = 0
    setResting(false)
  }

  private func setResting(_ isResting: Bool) {
    guard isResting != self.isResting else { return }
    self.isResting = isResting
    switch rest {
    case .last: setPriority()
    case .unheard: source?.setEnabled(!isResting)
    case .never: break
    }
  }

  private func setPriority() {
    source?.setPriority(hasMore || isResting && rest == .last ? .last : priority)
  }

  /// Changes what is awaited of its descriptor.
  func setInterest(_ interest: Interest) { source?.setInterest(interest) }

  /// Turns it off for a while, or on again.
  func setEnabled(_ isEnabled: Bool) { source?.setEnabled(isEnabled) }
}
