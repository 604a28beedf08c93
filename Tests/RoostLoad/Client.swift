import Glibc
import Synchronization

/// A client on a thread of its own that asks as fast as it gets answers, until it is told to stop.
final class Client: Sendable {
  enum Kind {
    /// One connection for many requests.
    case keptAlive
    /// A connection for each request.
    case new
  }

  /// After so many requests a kept-alive connection is replaced, so that connections begin and end all the time.
  private static let requestsPerConnection = 200

  let target: Target
  let path: String
  let kind: Kind
  private let result = Mutex(Tally())

  init(target: Target, path: String, kind: Kind) {
    self.target = target
    self.path = path
    self.kind = kind
  }

  var tally: Tally { result.withLock { $0 } }

  /// Asks until `isOver`. `started` is called when the first answer is there.
  func run(until isOver: () -> Bool, started: () -> Void) {
    var tally = Tally()
    var connection: (Connection, used: Int)?
    var hasStarted = false
    while !isOver() {
      if let open = connection, open.used >= Self.requestsPerConnection { connection = nil }
      if let open = connection, open.0.isClosedByServer {
        tally.idleCloses += 1
        connection = nil
      }
      let begin = now()
      do {
        connection = try ask(connection, &tally)
        tally.slowestMilliseconds = max(tally.slowestMilliseconds, now() - begin)
      } catch {
        connection = nil
        tally.failures[error.reason, default: 0] += 1
      }
      switch kind {
      case .keptAlive: tally.keptAlive += 1
      case .new: tally.new += 1
      }
      if !hasStarted {
        hasStarted = true
        started()
      }
    }
    result.withLock { $0 = tally }
  }

  /// One request. Returns the connection if another request may follow on it.
  private func ask(
    _ connection: (Connection, used: Int)?, _ tally: inout Tally
  ) throws(Failure) -> (Connection, used: Int)? {
    var open: (Connection, used: Int)
    if let connection {
      open = connection
    } else {
      open = (try Connection(to: target), 0)
      tally.connections += 1
    }
    let response = try open.0.get(path, keepAlive: kind == .keptAlive)
    if let generation = response.generation { tally.generations[generation, default: 0] += 1 }
    if let pid = response.pid { tally.pids[pid, default: 0] += 1 }
    open.used += 1
    return kind == .keptAlive && !response.isLast ? open : nil
  }

  private func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }
}
