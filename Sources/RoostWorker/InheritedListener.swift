internal import CRoostLinux
import Glibc
import RoostHandoff

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

  /// Whether the descriptor is open.
  @discardableResult
  static func closeOnExec(_ descriptor: Int32) -> Bool {
    fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
  }
}

extension InheritedListener {
  /// Runs what takes the listener into use, and gives it back the backlog that the operator chose: many event loops call
  /// listen(2) with a number of their own, and that is everybody's backlog then, since all share the socket.
  ///
  /// Connections that are queued stay. Nothing happens if the kernel doesn't tell the backlog.
  public func keepingBacklog<Result, Failure>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    var queued: UInt32 = 0
    var limit: UInt32 = 0
    let isKnown = roost_accept_queue(descriptor, &queued, &limit) == 0
    defer { if isKnown { listen(descriptor, Int32(clamping: limit)) } }
    return try body()
  }
}
