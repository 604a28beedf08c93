import Foundation
import RoostMaster
import Synchronization

/// Clients with kept-alive connections that send requests without a pause while a worker is told to stop, and watch
/// what becomes of their connections.
final class DrainClients: Sendable {
  /// What became of connections.
  struct Counts {
    var connections = 0
    /// Those on which a request was answered before the stop signal.
    var begun = 0
    /// Requests that were on their way at the stop signal, and were answered or lost.
    var inFlightAnswered = 0
    var inFlightLost = 0
    /// Requests that were sent later, on a connection that the worker hadn't announced to close, and were lost.
    var laterLost = 0
    /// Connections on which an answer said that it was the last, or that were closed while no request was on its way.
    var told = 0
    /// Connections on which the worker kept answering as if nothing had happened.
    var untold = 0
    var slowAnswered = 0
    var slowFailure: RequestFailure?
  }

  /// How long a worker may take before its answers have to say that the connection will be closed.
  private static let grace: Duration = .seconds(1)
  private static let clock = ContinuousClock()

  let threads = ClientThreads()
  private let address: TrialAddress
  private let patience: Duration
  private let state = Mutex(Counts())
  private let stopped = Mutex<ContinuousClock.Instant?>(nil)

  init(_ address: TrialAddress, patience: Duration) {
    self.address = address
    self.patience = patience
  }

  var counts: Counts { state.withLock { $0 } }

  /// To be called right before the worker is told to stop.
  func workerIsToldToStop() {
    stopped.withLock { $0 = Self.clock.now }
  }

  func start(count: Int, path: String) {
    state.withLock { $0.connections = count }
    for _ in 0..<count { threads.start { [self] in run(path) } }
  }

  /// One request that takes a while.
  func startSlow(path: String) {
    threads.start { [self] in
      do throws(RequestFailure) {
        _ = try HTTPConnection(to: address, patience: patience).ask(path, keepAlive: false)
        state.withLock { $0.slowAnswered += 1 }
      } catch {
        state.withLock { $0.slowFailure = error }
      }
    }
  }

  private func run(_ path: String) {
    var connection = try? HTTPConnection(to: address, patience: patience)
    var hasBegun = false
    while let open = connection, !threads.isOver {
      if open.isClosedByServer {
        connection = ended()
        continue
      }
      let sent = Self.clock.now
      let isLast = try? open.ask(path)
      // After the answer: a request that was sent before the signal can be answered after it.
      let stop = stopped.withLock { $0 }
      let wasInFlight = stop.map { sent <= $0 } ?? false
      guard let isLast else {
        guard stop != nil else { return }
        return change { counts in if wasInFlight { counts.inFlightLost += 1 } else { counts.laterLost += 1 } }
      }
      if wasInFlight { change { $0.inFlightAnswered += 1 } }
      if !hasBegun { change { $0.begun += 1 } }
      hasBegun = true
      if isLast { connection = ended() }
      if !isLast, let stop, sent - stop > Self.grace { return change { $0.untold += 1 } }
    }
  }

  /// The server has closed a connection. Before the stop signal it is replaced: many servers close one now and then.
  private func ended() -> HTTPConnection? {
    if stopped.withLock({ $0 }) == nil { return try? HTTPConnection(to: address, patience: patience) }
    change { $0.told += 1 }
    return nil
  }

  private func change(_ body: (inout Counts) -> Void) {
    state.withLock { body(&$0) }
  }
}
