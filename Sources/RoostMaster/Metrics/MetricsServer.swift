import CRoostLinux
import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostMetrics
import RoostSystemd

/// Serves metrics over HTTP to whoever can connect. What that may cost is bounded: in clients, in bytes, in time, and in how
/// often the text is made. It comes after everything else that the master has to do.
final class MetricsServer {
  /// More at a time are no scrapers. Who hasn't asked yet makes room for who comes.
  private static let maximumClients = 32
  /// How long a client may take for everything.
  private static let patience: Duration = .seconds(5)
  /// How long a text is told again where nothing has happened: making it looks at every worker.
  private static let freshness: Duration = .seconds(1)

  /// Close-on-exec like every listener; it isn't among those that workers are given.
  let listener: Listener
  private let loop: EventLoop
  private let log: Log
  private var source: Source?
  private var timer: Timer?
  private var makeText: (Exposition.Format) -> String = { _ in "" }
  private var texts: [Exposition.Format: (bytes: [UInt8], made: Instant)] = [:]
  /// In the order of their deadlines.
  private var clients: [MetricsClient] = []
  /// When connections are taken again, after the kernel couldn't give one.
  private var pause: Instant?

  /// Serves on a socket that is open and doesn't block.
  init(adopting listener: Listener, loop: EventLoop, _ log: Log) {
    self.listener = listener
    self.loop = loop
    self.log = log
  }

  /// Opens the socket.
  convenience init(_ address: Address, loop: EventLoop, _ log: Log) throws(MasterError) {
    var wanted = ListenerConfiguration(name: "metrics", address: address, backlog: 64)
    wanted.isNonblocking = true
    self.init(adopting: try Listener.open(wanted, beside: []), loop: loop, log)
    let place = listener.address
    let isFile = place.utf8.starts(with: "unix:".utf8)
    log.info("serving metrics on \(place)" + (isFile ? "" : ": http://\(place)\(ScrapeReply.path)"))
  }

  /// What an upgrade hands over.
  var saved: Listener.Saved { listener.saved }

  deinit {
    // Before the descriptor is closed: its number may belong to another by the time the loop forgets it.
    source = nil
  }

  /// Takes connections from now on.
  func serve(_ text: @escaping (Exposition.Format) -> String) throws(SystemdError) {
    makeText = text
    source = try loop.onReadable(listener.descriptor.number, priority: .last) { [unowned self] in accept() }
    timer = try loop.timer(priority: .last) { [unowned self] in
      timer?.wentOff()
      timePassed()
    }
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

  private func accept() {
    let number = roost_accept(listener.descriptor.number)
    guard number >= 0 else {
      if errno != EAGAIN && errno != EINTR && errno != ECONNABORTED { rest() }
      return
    }
    let client = MetricsClient(adopting: Descriptor(adopting: number), deadline: Clock.now() + Self.patience)
    if clients.count >= Self.maximumClients {
      guard let silent = clients.firstIndex(where: \.isReading) else { return }
      clients.remove(at: silent)
    }
    do {
      try client.watch(in: loop, text: { [unowned self] in text($0) }, gone: { [unowned self] in remove($0) })
      clients.append(client)
    } catch {
      log.warning("a client of the metrics cannot be heard: \(error)")
    }
    setTimer()
  }

  /// No descriptor or no memory is left. The connection stays in the queue: without a rest the loop would do nothing else.
  private func rest() {
    log.warning("cannot accept a connection for metrics: \(errorText(errno))")
    source?.setEnabled(false)
    pause = Clock.now() + .seconds(1)
    setTimer()
  }

  private func remove(_ client: MetricsClient) {
    clients.removeAll { $0 === client }
    setTimer()
  }

  private func timePassed() {
    let now = Clock.now()
    clients.removeAll { $0.deadline <= now }
    if let until = pause, until <= now {
      pause = nil
      source?.setEnabled(true)
    }
    setTimer()
  }

  private func setTimer() {
    let next = [clients.first?.deadline, pause].compactMap(\.self).min()
    timer?.set(next?.microseconds)
  }
}
