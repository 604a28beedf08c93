import Glibc
import RoostHandoff

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
  private let notifySocket: String?
  private let readyDescriptor: Int32?

  /// Reads the environment, and marks the inherited descriptors close-on-exec, so that they don't reach children.
  ///
  /// - Throws: `WorkerError.invalidEnvironment` if a variable makes no sense.
  public init() throws(WorkerError) {
    func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    func number(_ name: String) throws(WorkerError) -> Int? {
      guard let text = value(name) else { return nil }
      guard let number = Int(text), (0...Int(Int32.max)).contains(number) else {
        throw .invalidEnvironment(name: name, value: text)
      }
      return number
    }
    service = value(WorkerEnvironment.service)
    generation = try number(WorkerEnvironment.generation)
    slot = try number(WorkerEnvironment.slot)
    notifySocket = value(WorkerEnvironment.notifySocket)
    readyDescriptor = try number(WorkerEnvironment.readyDescriptor).map(Int32.init)
    if let readyDescriptor { closeOnExec(readyDescriptor) }
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
    var message = NotifyMessage()
    message.isReady = true
    try send(message)
    guard let readyDescriptor else { return }
    guard write(readyDescriptor, "\n", 1) == 1 else { throw .notify(errno: errno) }
  }

  /// Asks for more time, from now, to get ready or to drain.
  ///
  /// - Throws: `WorkerError.notify` if the master can't be reached.
  public func extendTimeout(by duration: Duration) throws(WorkerError) {
    var message = NotifyMessage()
    let (seconds, attoseconds) = duration.components
    message.extendTimeoutMicroseconds =
      UInt64(max(0, seconds)) * 1_000_000 + UInt64(max(0, attoseconds)) / 1_000_000_000_000
    try send(message)
  }

  /// Asks the master to reload the whole service, which the operator must have allowed (`--allow-worker-reload`).
  ///
  /// - Returns: Whether there is a master to ask.
  /// - Throws: `WorkerError.notify` if the master can't be reached.
  public func requestReload() throws(WorkerError) -> Bool {
    var message = NotifyMessage()
    message.requestsReload = true
    return try send(message)
  }

  @discardableResult
  private func send(_ message: NotifyMessage) throws(WorkerError) -> Bool {
    guard let notifySocket else { return false }
    try Datagram.send(message.datagram, to: notifySocket)
    return true
  }
}

/// A listening socket that the master has opened. It must not be shut down (shutdown(2)): all workers share it.
public struct InheritedListener: Hashable, Sendable {
  /// The open descriptor. It belongs to whoever takes it out of `Worker.listeners`.
  public let descriptor: Int32
  /// The name that the operator gave it, or nil if the master said none.
  public let name: String?

  static func all(_ count: Int, names: String?) throws(WorkerError) -> [InheritedListener] {
    let first = WorkerEnvironment.firstListenerDescriptor
    let names = names.map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) }
    var listeners: [InheritedListener] = []
    for index in 0..<count {
      let descriptor = first + Int32(index)
      guard closeOnExec(descriptor) else {
        throw .invalidEnvironment(name: WorkerEnvironment.listenerCount, value: "\(count)")
      }
      listeners.append(
        InheritedListener(descriptor: descriptor, name: names.flatMap { index < $0.count ? $0[index] : nil }))
    }
    return listeners
  }
}

/// Whether the descriptor is open.
@discardableResult
private func closeOnExec(_ descriptor: Int32) -> Bool {
  fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
}
