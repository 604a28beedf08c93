import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostMetrics
import RoostSystemd

/// Serves metrics over HTTP to any client that can connect. Its cost is bounded: in clients, in bytes, in time, and in
/// how often the text is made. It comes after everything else that the master has to do, and never stops a service: if
/// its address isn't available, it is tried again (MetricsServer+Waiting.swift).
final class MetricsServer {
  enum Stage {
    /// It doesn't have it, and tries to get it.
    case waiting(MetricsWait)
    /// Close-on-exec like every listener; workers don't get it.
    case serving(Listener)
  }

  /// More than these at a time aren't scrapers.
  private static let places = Places(idle: 32)
  /// How long a client may take for everything.
  private static let patience: Duration = .seconds(5)
  /// How long a text is reused if nothing has happened: making it means looking at every worker.
  private static let freshness: Duration = .seconds(1)

  let wanted: ListenerConfiguration
  let log: Log
  private(set) var stage: Stage
  private let loop: EventLoop
  /// With its clients in the order of their deadlines.
  private let acceptor: Acceptor<MetricsClient>
  private var timer: Timer?
  private var makeText: (Exposition.Format) -> String = { _ in "" }
  private var texts: [Exposition.Format: (bytes: [UInt8], made: Instant)] = [:]

  /// A server in this stage. Nothing is opened.
  init(_ wanted: ListenerConfiguration, _ stage: Stage, loop: EventLoop, _ log: Log) {
    self.wanted = wanted
    self.stage = stage
    self.loop = loop
    self.log = log
    acceptor = Acceptor("a client of the metrics", places: Self.places, loop: loop, log)
  }

  deinit {
    acceptor.stop()
  }

  /// Takes connections from now on, or as soon as there is a socket.
  func serve(_ text: @escaping (Exposition.Format) -> String) {
    makeText = text
    do {
      timer = try loop.timer(priority: .last) { [unowned self] in timePassed() }
    } catch {
      log.warning("cannot set a timer, so metrics that aren't served now never will be: \(error)")
    }
    switch stage {
    case .serving(let listener): begin(listener)
    case .waiting: setTimer()
    }
  }

  private func begin(_ listener: Listener) {
    do {
      try acceptor.serve(listener.descriptor, priority: .last) { [unowned self] in add($0) }
      setTimer()
    } catch {
      wait(for: "cannot serve metrics on \(listener.address): \(error)")
    }
  }

  /// Serves on another socket. Clients that wait at the former one are taken first.
  func move(to other: Listener) {
    do {
      if case .serving(let former) = stage { try acceptor.move(from: former.descriptor, to: other.descriptor) }
      stage = .serving(other)
    } catch {
      wait(for: "\(error)")
    }
  }

  /// Serves on a socket, after a time without one.
  func serve(on listener: Listener) {
    stage = .serving(listener)
    begin(listener)
  }

  /// Continues without a socket, and tries to get one.
  func wait(for wait: MetricsWait) {
    acceptor.stop()  // before the socket is closed (`Source`)
    stage = .waiting(wait)
    setTimer()
  }

  /// Something has happened: the text is no longer true.
  func forgetText() { texts.removeAll(keepingCapacity: true) }

  private func text(_ format: Exposition.Format) -> [UInt8] {
    let now = Clock.now()
    if let text = texts[format], now - text.made < Self.freshness { return text.bytes }
    let bytes = Array(makeText(format).utf8)
    texts[format] = (bytes, now)
    return bytes
  }

  private func add(_ connection: consuming Descriptor) {
    let client = MetricsClient(adopting: connection, deadline: Clock.now() + Self.patience)
    acceptor.add(client) { client throws(SystemdError) in
      try client.watch(in: loop, text: { [unowned self] in text($0) }, gone: { [unowned self] in remove($0) })
    }
    setTimer()
  }

  private func remove(_ client: MetricsClient) {
    acceptor.remove(client)
    setTimer()
  }

  /// Lets all clients go: what they have sent is no longer read.
  func dismissClients() {
    acceptor.removeAll()
    setTimer()
  }

  private func timePassed() {
    let now = Clock.now()
    for client in acceptor.clients where client.deadline <= now { acceptor.remove(client) }
    if case .waiting(let wait) = stage, wait.next <= now { tryAgain(after: wait) }
    setTimer()
  }

  private func setTimer() {
    let wait: Instant? = if case .waiting(let wait) = stage { wait.next } else { nil }
    timer?.set(earliest(acceptor.clients.first?.deadline, wait)?.microseconds)
  }
}
