#if Hummingbird
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypesHTTP1
import NIOPosix
import RoostNIO
import RoostWorker
import ServiceLifecycle

/// Hummingbird's connections, accepted on inherited listeners.
struct InheritingServer<Connections: ServerChildChannel>: Service {
  let connections: Connections
  let worker: Worker
  let listeners: [InheritedListener]
  let group: any EventLoopGroup
  let configuration: ApplicationConfiguration
  let logger: Logger
  let beforeStart: [@Sendable () async throws -> Void]
  let onRunning: @Sendable (any Channel) async -> Void

  func run() async throws {
    for process in beforeStart { try await process() }
    let accepted = AsyncStream.makeStream(of: Connections.Value.self)
    let server = try await bind(to: accepted.continuation)
    await withTaskCancellationOrGracefulShutdownHandler {
      await onRunning(server.channels[0])
      worker.sayReady(logger)
      await withDiscardingTaskGroup { group in
        // It ends with the last connection. On cancellation, what is in the stream comes out still, and ends at once.
        for await value in accepted.stream {
          group.addTask { await connections.handle(value: value, logger: logger) }
        }
      }
    } onCancelOrGracefulShutdown: {
      server.drain().whenComplete { _ in accepted.continuation.finish() }
    }
    server.close()
  }

  private func bind(to accepted: AsyncStream<Connections.Value>.Continuation) async throws -> DrainingServer {
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelInitializer { [limit = configuration.availableConnectionsDelegate] channel in
        channel.eventLoop.makeCompletedFuture {
          if let limit { try channel.pipeline.syncOperations.addHandler(limit.handler) }
        }
      }
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { [connections, logger] channel in
        connections.setup(channel: channel, logger: logger).flatMapThrowing { value in
          try channel.addDrainHandler()
          switch accepted.yield(value) {
          case .enqueued, .dropped: break
          // Cancelled. Hummingbird wants each to be handled, also one that is closed.
          case .terminated: closeUnhandled(value)
          @unknown default: break
          }
        }
      }
    return try await bootstrap.bind(inheriting: listeners, otherwise: noAddress()).get()
  }

  private func noAddress() throws -> SocketAddress { throw NoListener() }

  private func closeUnhandled(_ value: Connections.Value) {
    value.channel.close(promise: nil)
    Task { await connections.handle(value: value, logger: logger) }
  }
}

/// No inherited listener is for this application.
struct NoListener: Error, CustomStringConvertible {
  let description = "none of the inherited listeners was chosen"
}

extension AvailableConnectionsDelegate {
  fileprivate var handler: any ChannelHandler { AvailableConnectionsChannelHandler(delegate: self) }
}

extension Channel {
  /// HTTP/1 drains by our handler, where NIO's types of requests and responses are: before Hummingbird's own. Anything
  /// else gets what Hummingbird's server would tell it.
  fileprivate func addDrainHandler() throws {
    if let codec = try? pipeline.syncOperations.handler(type: HTTP1ToHTTPServerCodec.self) {
      try pipeline.syncOperations.addHandler(HTTPDrainHandler(), position: .before(codec))
    } else {
      try pipeline.syncOperations.addHandler(QuiesceHandler(), position: .first)
    }
  }
}

/// Says `DrainEvent` in the words of `ServerQuiescingHelper`.
private final class QuiesceHandler: ChannelInboundHandler {
  typealias InboundIn = Any

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    context.fireUserInboundEventTriggered(event is DrainEvent ? ChannelShouldQuiesceEvent() : event)
  }
}
#endif
