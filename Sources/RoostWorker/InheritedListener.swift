import Glibc
import RoostContract

/// A listening socket that the master has opened. It must not be shut down (shutdown(2)): all workers share it.
public struct InheritedListener: Hashable, Sendable {
  /// The open descriptor. It belongs to whoever takes it out of `Worker.listeners`.
  public let descriptor: Int32
  /// The name that the operator gave it, or nil if the master said none.
  public let name: String?

  /// A listening socket that came in another way, for code that expects an inherited one.
  public init(descriptor: Int32, name: String?) {
    self.descriptor = descriptor
    self.name = name
  }

  static func all(_ count: Int, names: String?) throws(WorkerError) -> [InheritedListener] {
    let first = WorkerEnvironment.firstListenerDescriptor
    let names = names.map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) }
    return try (0..<count).map { index throws(WorkerError) in
      let descriptor = first + Int32(index)
      guard closeOnExec(descriptor) else {
        throw .invalidEnvironment(name: WorkerEnvironment.listenerCount, value: "\(count)")
      }
      return InheritedListener(descriptor: descriptor, name: names.flatMap { index < $0.count ? $0[index] : nil })
    }
  }

  /// Whether the descriptor is open.
  @discardableResult
  static func closeOnExec(_ descriptor: Int32) -> Bool {
    fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
  }
}

extension InheritedListener {
  /// How many connections may wait in its queue, as the operator chose; nil if it isn't TCP, of which alone the kernel tells it
  /// by a call that any server may make (`TCP_INFO` in tcp(7): of a listening socket the field for selectively acknowledged
  /// segments has it).
  public var backlog: Int32? {
    var info = tcp_info()
    var length = socklen_t(MemoryLayout<tcp_info>.size)
    guard getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0 else { return nil }
    return Int32(clamping: info.tcpi_sacked)
  }

  /// Runs what takes the listener into use, and gives it back the backlog that the operator chose: many event loops call
  /// listen(2) with a number of their own, and that is everybody's backlog then, since all share the socket. The queue of a unix
  /// socket gets as long as the kernel allows (`net.core.somaxconn`).
  ///
  /// Connections that are queued stay. Should two workers do this in the same instant, the master has the last word, since
  /// it sets the backlog again when a worker is ready.
  public func keepingBacklog<Result, Failure>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let backlog = backlog ?? .max
    defer { listen(descriptor, backlog) }
    return try body()
  }
}
