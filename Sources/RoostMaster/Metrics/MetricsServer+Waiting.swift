import RoostConfiguration
import RoostControl
import RoostCore
import RoostLog
import RoostMetrics
import RoostSystemd

/// Why metrics aren't served, and when to try again to get their socket.
struct MetricsWait: Codable {
  /// The first pause. Each is twice as long as the one before, up to the last.
  private static let firstSeconds = 1
  /// Short enough for an operator who has just freed the port, and too long to cost anything.
  private static let longestSeconds = 30

  /// In words for the operator.
  let reason: String
  let pauseSeconds: Int
  let next: Instant

  init(_ reason: String, after former: MetricsWait? = nil, at now: Instant) {
    self.reason = reason
    pauseSeconds = former.map { min($0.pauseSeconds * 2, Self.longestSeconds) } ?? Self.firstSeconds
    next = now + .seconds(pauseSeconds)
  }
}

/// The socket may only be available later: its port is taken, its address isn't there yet, its directory is made by
/// another service.
extension MetricsServer {
  /// Opens the socket, or begins to try again.
  convenience init(_ address: Address, loop: EventLoop, _ log: Log) {
    let wanted = Self.wanted(address)
    do {
      let listener = try Listener.open(wanted, beside: [])
      self.init(wanted, .serving(listener), loop: loop, log)
      tellServing(listener)
    } catch {
      let wait = MetricsWait("\(error)", at: Clock.now())
      self.init(wanted, .waiting(wait), loop: loop, log)
      tell(wait)
    }
  }

  /// Continues after an upgrade. Nothing is opened here: this runs in the proof, too.
  convenience init(
    _ address: Address, restoring saved: Listener.Saved?, _ wait: MetricsWait?, loop: EventLoop, _ log: Log
  ) throws(ConfigurationError) {
    let stage: Stage =
      if let saved { .serving(Listener(restoring: saved)) } else {
        .waiting(wait ?? MetricsWait("the former master served none", at: Clock.now()))
      }
    self.init(Self.wanted(address), stage, loop: loop, log)
  }

  private static func wanted(_ address: Address) -> ListenerConfiguration {
    var wanted = ListenerConfiguration(name: "metrics", address: address, backlog: 1024)
    wanted.isNonblocking = true
    return wanted
  }

  /// What an upgrade hands over: its socket, or what it waits for.
  var saved: Listener.Saved? {
    guard case .serving(let listener) = stage else { return nil }
    return listener.saved
  }

  var savedWait: MetricsWait? {
    guard case .waiting(let wait) = stage else { return nil }
    return wait
  }

  /// The `Metrics` of docs/control.md.
  var report: ServiceStatus.Metrics {
    switch stage {
    case .serving(let listener): ServiceStatus.Metrics(address: listener.address, obstacle: listener.obstacle)
    case .waiting(let wait):
      ServiceStatus.Metrics(
        address: "\(wanted.address)", obstacle: wait.reason,
        millisecondsLeft: max(0, (wait.next - Clock.now()).wholeMilliseconds))
    }
  }

  /// Tries to get the socket; after a failure the next pause is longer.
  func tryAgain(after former: MetricsWait) {
    do {
      let listener = try Listener.open(wanted, beside: [])
      tellServing(listener)
      serve(on: listener)
    } catch {
      let wait = MetricsWait("\(error)", after: former, at: Clock.now())
      self.wait(for: wait)
      // The same message again and again would fill the log.
      if wait.reason != former.reason { tell(wait) }
    }
  }

  /// There is no socket any more, or it can't be used.
  func wait(for reason: String) {
    let wait = MetricsWait(reason, at: Clock.now())
    self.wait(for: wait)
    tell(wait)
  }

  /// For a reload: if the file of a unix socket is gone, recreates it, with another socket, and returns why it had to.
  /// Tries at once if there is no socket yet.
  func renew() -> String? {
    switch stage {
    case .waiting(let wait):
      tryAgain(after: wait)
      return nil
    case .serving(let listener):
      guard let obstacle = listener.obstacle else { return nil }
      do {
        move(to: try Listener.open(wanted, beside: []))
        return obstacle
      } catch {
        wait(for: "\(error)")
        return nil
      }
    }
  }

  private func tellServing(_ listener: Listener) {
    let place = listener.address
    let isFile = place.utf8.starts(with: "unix:".utf8)
    log.info("serving metrics on \(place)" + (isFile ? "" : ": http://\(place)\(ScrapeReply.path)"))
  }

  private func tell(_ wait: MetricsWait) {
    log.warning(
      "metrics aren't served, and the service runs without them: \(wait.reason); next try in \(wait.pauseSeconds)s,"
        + " then with growing pauses")
  }
}
