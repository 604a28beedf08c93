import Glibc
import RoostContract

/// What this process got from the master that started it, and its way to speak to that master.
///
/// Outside Roost, and in children of a worker, there are no listeners and nobody listens: the same program can open its
/// own sockets then.
public struct Worker: Sendable {
  /// The inherited listeners, in the order of their descriptors.
  public let listeners: [InheritedListener]
  /// The name of the service, or nil outside Roost.
  public let service: String?
  /// The worker's generation, from 1, or nil outside Roost.
  public let generation: Int?
  /// The worker's slot, from 0, or nil outside Roost.
  public let slot: Int?
  /// How often the master wants to hear that this worker is alive, at least, or nil if it doesn't.
  public let watchdogTimeout: Duration?
  private let notifySocket: String?
  private let readyDescriptor: Int32?

  /// Reads the environment, and marks the inherited descriptors close-on-exec, so that they don't reach children.
  ///
  /// - Throws: `WorkerError.invalidEnvironment` if a variable makes no sense.
  public init() throws(WorkerError) {
    func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    func number(_ name: String, upTo limit: Int = Int(Int32.max)) throws(WorkerError) -> Int? {
      guard let text = value(name) else { return nil }
      guard let number = Int(text), (0...limit).contains(number) else {
        throw .invalidEnvironment(name: name, value: text)
      }
      return number
    }
    service = value(WorkerEnvironment.service)
    generation = try number(WorkerEnvironment.generation)
    slot = try number(WorkerEnvironment.slot)
    notifySocket = value(WorkerEnvironment.notifySocket)
    readyDescriptor = try number(WorkerEnvironment.readyDescriptor).map(Int32.init)
    if let readyDescriptor { InheritedListener.closeOnExec(readyDescriptor) }
    let isWatched = try number(WorkerEnvironment.watchdogProcess).map { $0 == Int(getpid()) } ?? true
    let watchdog = try number(WorkerEnvironment.watchdogMicroseconds, upTo: .max)
    watchdogTimeout = watchdog.flatMap { isWatched && $0 > 0 ? .microseconds($0) : nil }
    // A mismatch says that the sockets were meant for another process, and is no error (sd_listen_fds(3)).
    let isMeant = try number(WorkerEnvironment.listenerProcess) == Int(getpid())
    let count = isMeant ? try number(WorkerEnvironment.listenerCount) ?? 0 : 0
    listeners = try InheritedListener.all(count, names: value(WorkerEnvironment.listenerNames))
  }

  /// Says that this worker accepts: by `READY=1` and by the readiness pipe, whichever of them there is. Does nothing
  /// outside Roost.
  ///
  /// - Throws: `WorkerError.notify` if the master can't be reached.
  public func ready() throws(WorkerError) {
    try send { $0.isReady = true }
    guard let readyDescriptor else { return }
    guard write(readyDescriptor, "\n", 1) == 1 else { throw .notify(errno: errno) }
  }

  /// Says what it does at present, for people: one line, of which the first thousand characters count.
  ///
  /// - Throws: `WorkerError.notify` if the master can't be reached.
  public func status(_ text: String) throws(WorkerError) {
    // A line break would begin another assignment, and a message that is too long is dropped whole.
    let line = text.unicodeScalars.prefix(1000).map { $0 == "\n" || $0 == "\0" ? " " : $0 }
    try send { $0.status = String(String.UnicodeScalarView(line)) }
  }

  /// Says that it has begun to drain. The master knows when it has asked for that; this is for a worker that goes by itself.
  ///
  /// - Throws: `WorkerError.notify` if the master can't be reached.
  public func stopping() throws(WorkerError) {
    try send { $0.isStopping = true }
  }

  /// Says that it is alive: by `WATCHDOG=1`. Does nothing if the master doesn't want to hear it.
  ///
  /// - Throws: `WorkerError.notify` if the master can't be reached.
  public func ping() throws(WorkerError) {
    guard watchdogTimeout != nil else { return }
    try send { $0.isAlive = true }
  }

  /// Says that it is alive, twice as often as it has to, until the task is cancelled. Each time it goes through Swift's
  /// thread pool, so that a worker whose tasks are stuck falls silent.
  ///
  /// Let it go on while the worker drains. Returns at once if the master doesn't want to hear it.
  ///
  /// - Throws: `WorkerError.notify` if the master can't be reached.
  public func keepAlive() async throws(WorkerError) {
    guard let watchdogTimeout else { return }
    while !Task.isCancelled {
      try ping()
      try? await Task.sleep(for: watchdogTimeout / 2)
    }
  }

  /// Asks for more time, from now, to get ready or to drain.
  ///
  /// - Throws: `WorkerError.notify` if the master can't be reached.
  public func extendTimeout(by duration: Duration) throws(WorkerError) {
    let (seconds, attoseconds) = duration.components
    let microseconds = UInt64(max(0, seconds)) * 1_000_000 + UInt64(max(0, attoseconds)) / 1_000_000_000_000
    try send { $0.extendTimeoutMicroseconds = microseconds }
  }

  /// Asks the master to reload the whole service, which the operator must have allowed (`--allow-worker-reload`).
  ///
  /// - Returns: Whether there is a master to ask.
  /// - Throws: `WorkerError.notify` if the master can't be reached.
  public func requestReload() throws(WorkerError) -> Bool {
    try send { $0.requestsReload = true }
  }

  /// Sends a message that says this, and returns whether anybody is there.
  @discardableResult
  private func send(_ say: (inout NotifyMessage) -> Void) throws(WorkerError) -> Bool {
    guard let notifySocket else { return false }
    var message = NotifyMessage()
    say(&message)
    try Datagram.send(message.datagram, to: notifySocket)
    return true
  }
}
