#if NIO
import NIOCore

/// What a bootstrap has bound by `bind(inheriting:otherwise:)`: it accepts until it is told to drain.
public final class DrainingServer: Sendable {
  /// The channels of the listeners.
  public let channels: [any Channel]
  private let connections: Connections

  init(channels: [any Channel], connections: Connections) {
    self.channels = channels
    self.connections = connections
  }

  /// Where it listens; with port 0 in a bound address, this tells the port.
  public var localAddresses: [SocketAddress] { channels.compactMap(\.localAddress) }

  /// How many connections there are.
  public var connectionCount: Int { connections.count }

  /// Stops accepting, tells every connection to come to its end (`DrainEvent`), and succeeds when the last has.
  ///
  /// No connection is lost on the way: what the kernel has queued is left to the workers that go on, and what is accepted
  /// is set up before the listeners are closed, since their closing would drop it. Only this process's copies of the
  /// listeners are closed.
  @discardableResult
  public func drain() -> EventLoopFuture<Void> {
    let loop = channels[0].eventLoop
    connections.stopAccepting()
    let stopped = channels.map { $0.setOption(.autoRead, value: false) }
    return EventLoopFuture.andAllComplete(stopped, on: loop)
      .flatMap { [connections] in connections.whenSetUp(on: loop) }
      .flatMap { [channels] in EventLoopFuture.andAllComplete(channels.map { $0.close() }, on: loop) }
      .flatMap { [connections] in connections.end(on: loop) }
  }

  /// Closes the listeners and all connections, whatever they are doing.
  public func close() {
    connections.stopAccepting()
    for channel in channels { channel.close(promise: nil) }
    connections.close()
  }
}

/// Tells the handlers of a connection to bring it to its end: to finish what it is doing, and to close it then.
///
/// `HTTPDrainHandler` does that for HTTP/1. The handlers of another protocol take it from `userInboundEventTriggered`.
public struct DrainEvent: Sendable {
  /// The event.
  public init() {}
}
#endif
