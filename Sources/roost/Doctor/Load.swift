import Foundation
import RoostConfiguration
import RoostMaster
import Synchronization

/// What clients have seen. Exact: a request is counted once, as answered or as failed.
struct Counts {
  var answered = 0
  var failures: [RequestFailure: Int] = [:]
  /// Answers after which the connection could be used again.
  var keptAlive = 0
  var slowest: Duration = .zero

  var failed: Int { failures.values.reduce(0, +) }
  var all: Int { answered + failed }

  /// How the requests failed, the most frequent way first.
  var reasons: String {
    failures.sorted { ($0.value, $0.key.text) > ($1.value, $1.key.text) }.map { "\($0.key.text) (\($0.value))" }
      .joined(separator: ", ")
  }
}

/// Requests, one after the other on each of several threads.
final class Load: Sendable {
  /// After this many failures it ends: more of them wouldn't tell anything new. One that timed out has taken long
  /// enough.
  private static let enough = 5

  let threads = ClientThreads()
  private let address: TrialAddress
  private let path: String
  private let speaksHTTP: Bool
  private let patience: Duration
  private let state = Mutex(Counts())

  init(_ address: TrialAddress, path: String, speaksHTTP: Bool, patience: Duration) {
    self.address = address
    self.path = path
    self.speaksHTTP = speaksHTTP
    self.patience = patience
  }

  var counts: Counts { state.withLock { $0 } }

  private var hasFailedEnough: Bool {
    let counts = counts
    return counts.failed >= Self.enough || counts.failures[.timedOut] != nil
  }

  /// Starts a client: at most this many requests, with a pause after each.
  func startClient(keepAlive: Bool, limit: Int, pause: Duration = .zero, stopsWhenFailing: Bool = true) {
    threads.start { [self] in
      var connection: HTTPConnection?
      var asked = 0
      while asked < limit, !threads.isOver {
        if stopsWhenFailing, hasFailedEnough { return }
        if connection?.isClosedByServer == true { connection = nil }
        connection = ask(connection, keepAlive: keepAlive)
        asked += 1
        if pause > .zero { usleep(UInt32(pause.wholeMilliseconds * 1000)) }
      }
    }
  }

  /// One request, on a connection that was used before or on a new one. Returns it if another can follow.
  private func ask(_ connection: HTTPConnection?, keepAlive: Bool) -> HTTPConnection? {
    let clock = ContinuousClock()
    let began = clock.now
    do throws(RequestFailure) {
      let open: HTTPConnection
      if let connection { open = connection } else { open = try HTTPConnection(to: address, patience: patience) }
      let isLast = speaksHTTP ? try open.ask(path, keepAlive: keepAlive) : true
      let time = clock.now - began
      state.withLock { counts in
        counts.answered += 1
        if !isLast { counts.keptAlive += 1 }
        counts.slowest = max(counts.slowest, time)
      }
      return keepAlive && !isLast ? open : nil
    } catch {
      state.withLock { $0.failures[error, default: 0] += 1 }
      return nil
    }
  }
}
