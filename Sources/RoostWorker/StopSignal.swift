import Glibc
import Synchronization

/// The master's request to drain.
///
/// Make it first of all in `main`, before any thread is started, also one of an event loop: threads inherit the mask of
/// blocked signals, and a thread that doesn't have it would be killed by the signal. From then on no signal is lost: one
/// that comes before anybody waits for it is kept.
public final class StopSignal: Sendable {
  private struct State {
    var received: Int32?
    var waiting: [@Sendable (Int32) -> Void] = []
  }

  private let state = Mutex(State())

  /// Blocks these signals in this thread, and from now on waits for them in one of its own. SIGINT stands for Ctrl-C of
  /// somebody who runs the program by hand.
  public init(_ signals: [Int32] = [SIGTERM, SIGINT]) {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    let wait = Wait(set: set, owner: self)
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Wait>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(wait).toOpaque())
    precondition(result == 0, "no thread to wait for signals")
    pthread_detach(thread)
  }

  /// Calls the handler once, on another thread, when the first of the signals has come; at once if it has.
  public func onStop(_ handler: @escaping @Sendable (Int32) -> Void) {
    let received = state.withLock { state in
      if state.received == nil { state.waiting.append(handler) }
      return state.received
    }
    if let received { handler(received) }
  }

  /// Waits until the first of the signals has come, and returns it.
  public func wait() async -> Int32 {
    await withCheckedContinuation { continuation in onStop { continuation.resume(returning: $0) } }
  }

  /// The first of the signals as a sequence of one element.
  public var signals: AsyncStream<Int32> {
    AsyncStream { continuation in
      onStop { signal in
        continuation.yield(signal)
        continuation.finish()
      }
    }
  }

  fileprivate func receive(_ signal: Int32) {
    let waiting = state.withLock { state in
      state.received = state.received ?? signal
      defer { state.waiting = [] }
      return state.waiting
    }
    for handler in waiting { handler(signal) }
  }
}

/// The thread that waits: it keeps the owner, since a signal may come for as long as the process lives.
private final class Wait {
  private var set: sigset_t
  private let owner: StopSignal

  init(set: sigset_t, owner: StopSignal) {
    self.set = set
    self.owner = owner
  }

  func run() {
    while true {
      var signal: Int32 = 0
      if sigwait(&set, &signal) == 0 { owner.receive(signal) }
    }
  }
}
