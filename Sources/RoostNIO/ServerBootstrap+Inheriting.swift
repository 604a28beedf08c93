#if NIO
import NIOCore
import NIOPosix
import RoostWorker

extension ServerBootstrap {
  /// Accepts on inherited listeners, and where there are none, outside Roost, on an address of its own.
  ///
  /// Every option and initializer of the bootstrap applies. The listeners keep their backlog.
  ///
  /// - Parameters:
  ///   - listeners: All of `Worker.listeners`, or those with a name that this server is for.
  ///   - address: What to bind outside Roost.
  /// - Returns: What accepts, and can be drained.
  /// - Throws: What the address throws.
  public func bind(
    inheriting listeners: [InheritedListener], otherwise address: @autoclosure () throws -> SocketAddress
  ) rethrows -> EventLoopFuture<DrainingServer> {
    let connections = Connections()
    // Nothing is accepted before the handlers are there that see it.
    let bootstrap = serverChannelOption(.autoRead, value: false)
    let bound: [EventLoopFuture<any Channel>]
    if listeners.isEmpty {
      bound = [bootstrap.bind(to: try address())]
    } else {
      bound = listeners.map { listener in
        // NIO calls listen(2) with a backlog of 128 within the call.
        listener.keepingBacklog { bootstrap.withBoundSocket(listener.descriptor) }
      }
    }
    let loop = bound[0].eventLoop
    return EventLoopFuture.whenAllComplete(bound, on: loop).flatMap { results in
      let channels = results.compactMap { try? $0.get() }
      for result in results {
        guard case .failure(let error) = result else { continue }
        for channel in channels { channel.close(promise: nil) }
        return loop.makeFailedFuture(error)
      }
      let accepting = channels.map { channel in
        channel.eventLoop.submit { try connections.watch(channel) }
          .flatMap { channel.setOption(.autoRead, value: true) }
      }
      return EventLoopFuture.andAllSucceed(accepting, on: loop).map {
        DrainingServer(channels: channels, connections: connections)
      }
    }
  }
}
#endif
