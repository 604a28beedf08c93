internal import CRoostShims
import Glibc
import Synchronization

/// The master's request to drain.
///
/// Make it before the worker says that it is ready: a signal that comes earlier ends the process, which holds no request
/// then. From then on no signal is lost; one that comes before anybody waits for it is kept.
public final class StopSignal: Sendable {
  private struct State {
    var received: Int32?
    var waiting: [@Sendable (Int32) -> Void] = []
  }

  private let signals: [Int32]
  private let state = Mutex(State())

  /// Takes these signals from now on. SIGINT stands for Ctrl-C of somebody who runs the program by hand.
  public init(_ signals: [Int32] = [SIGTERM, SIGINT]) {
    self.signals = signals
    SignalReader.shared.add(self)
    for signal in signals { precondition(roost_signals_catch(signal) == 0, "signal \(signal) can't be caught") }
  }

  /// Calls the handler once, on another thread, when the first of the signals has come; at once if it has.
  public func onStop(_ handler: @escaping @Sendable (Int32) -> Void) {
    let received = state.withLock { state in
      if state.received == nil { state.waiting.append(handler) }
      return state.received
    }
    if let received { handler(received) }
  }

  /// Waits until the first of the signals has come, and returns it; nil if the task is cancelled before.
  @discardableResult
  public func wait() async -> Int32? {
    await received.first { _ in true }
  }

  /// The first of the signals as a sequence of one element.
  public var received: AsyncStream<Int32> {
    AsyncStream { continuation in
      onStop { signal in
        continuation.yield(signal)
        continuation.finish()
      }
    }
  }

  fileprivate func receive(_ signal: Int32) {
    guard signals.contains(signal) else { return }
    let waiting = state.withLock { state in
      state.received = state.received ?? signal
      defer { state.waiting = [] }
      return state.waiting
    }
    for handler in waiting { handler(signal) }
  }
}

/// The thread that reads the process's signals, for all who wait for some.
private final class SignalReader: Sendable {
  static let shared = SignalReader()

  private let descriptor: Int32
  /// They are kept: a signal may come for as long as the process lives.
  private let owners = Mutex<[StopSignal]>([])

  private init() {
    descriptor = roost_signals_open()
    precondition(descriptor >= 0, "no pipe for signals")
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<SignalReader>.fromOpaque(argument!).takeUnretainedValue().run()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    precondition(result == 0, "no thread for signals")
    pthread_detach(thread)
  }

  func add(_ owner: StopSignal) {
    owners.withLock { $0.append(owner) }
  }

  private func run() {
    var byte: UInt8 = 0
    while true {
      guard read(descriptor, &byte, 1) == 1 else { continue }
      for owner in owners.withLock({ $0 }) { owner.receive(Int32(byte)) }
    }
  }
}
