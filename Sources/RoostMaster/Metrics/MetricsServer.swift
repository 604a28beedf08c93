import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostMetrics
import RoostSystemd

/// Serves metrics over HTTP to whoever can connect. What that may cost is bounded: in clients, in bytes, in time, and in how
/// often the text is made. It comes after everything else that the master has to do.
final class MetricsServer {
  /// More at a time are no scrapers.
  private static let places = Places(idle: 32)
  /// How long a client may take for everything.
  private static let patience: Duration = .seconds(5)
  /// How long a text is told again where nothing has happened: making it looks at every worker.
  private static let freshness: Duration = .seconds(1)

  /// Close-on-exec like every listener; it isn't among those that workers are given.
  private(set) var listener: Listener
  private let loop: EventLoop
  private let log: Log
  /// With its clients in the order of their deadlines.
  private let acceptor: Acceptor<MetricsClient>
  private var timer: Timer?
  private var makeText: (Exposition.Format) -> String = { _ in "" }
  private var texts: [Exposition.Format: (bytes: [UInt8], made: Instant)] = [:]

  /// Serves on a socket that is open and doesn't block.
  init(adopting listener: Listener, loop: EventLoop, _ log: Log) {
    self.listener = listener
    self.loop = loop
    self.log = log
    acceptor = Acceptor("a client of the metrics", places: Self.places, loop: loop, log)
  }

  /// Opens the socket.
  convenience init(_ address: Address, loop: EventLoop, _ log: Log) throws(MasterError) {
    var wanted = ListenerConfiguration(name: "metrics", address: address, backlog: 1024)
    wanted.isNonblocking = true
    self.init(adopting: try Listener.open(wanted, beside: []), loop: loop, log)
    let place = listener.address
    let isFile = place.utf8.starts(with: "unix:".utf8)
    log.info("serving metrics on \(place)" + (isFile ? "" : ": http://\(place)\(ScrapeReply.path)"))
  }

  /// What an upgrade hands over.
  var saved: Listener.Saved { listener.saved }

  deinit {
    acceptor.stop()
  }

  /// Takes connections from now on.
  func serve(_ text: @escaping (Exposition.Format) -> String) throws(SystemdError) {
    makeText = text
    try acceptor.serve(listener.descriptor, priority: .last) { [unowned self] in add($0) }
    timer = try loop.timer(priority: .last) { [unowned self] in
      timer?.wentOff()
      timePassed()
    }
  }

  /// Makes the file of a unix socket anew, with another socket, if it isn't there any more. Returns why it had to.
  func renew() throws(MasterError) -> String? {
    guard let obstacle = listener.obstacle else { return nil }
    let other = try Listener.open(listener.configuration, beside: [])
    try acceptor.move(from: listener.descriptor, to: other.descriptor)
    listener = other
    return obstacle
  }

  /// Something has happened: the text that was made isn't true any more.
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

  /// Lets everybody go: nobody reads any more what they have sent.
  func dismissClients() {
    acceptor.removeAll()
    setTimer()
  }

  private func timePassed() {
    let now = Clock.now()
    for client in acceptor.clients where client.deadline <= now { acceptor.remove(client) }
    setTimer()
  }

  private func setTimer() {
    timer?.set(acceptor.clients.first?.deadline.microseconds)
  }
}
