import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import RoostWorker

/// The listeners and what it takes to let them go without losing a connection.
final class Server: Sendable {
  /// How long the loops keep running after they were told to accept no more: a connection that was accepted in the same
  /// instant is set up by then. Closing the listener at once would drop it.
  private static let acceptPause = TimeAmount.milliseconds(50)

  private let group: EventLoopGroup
  private let worker: Worker
  private let connections = Connections()
  private let listeners = NIOLockedValueBox<[Channel]>([])

  init(group: EventLoopGroup, worker: Worker) {
    self.group = group
    self.worker = worker
  }

  /// Accepts on the inherited listeners, or outside Roost on an own one.
  func start(port: Int) throws {
    let bootstrap = bootstrap()
    var channels = try worker.listeners.map { try bootstrap.withBoundSocket($0.descriptor).wait() }
    if channels.isEmpty {
      channels.append(try bootstrap.bind(host: "127.0.0.1", port: port).wait())
      print("demo-worker: http://127.0.0.1:\(port)/")
    }
    listeners.withLockedValue { $0 = channels }
  }

  private func bootstrap() -> ServerBootstrap {
    ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { [connections, worker] channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          let connection = Connection(responder: Responder(worker: worker), connections: connections)
          try channel.pipeline.syncOperations.addHandler(connection)
        }
      }
  }

  /// Stops accepting, lets every connection come to its end, and then succeeds the promise.
  func drain(promise: EventLoopPromise<Void>) {
    let listeners = listeners.withLockedValue { $0 }
    let stopped = listeners.map { $0.setOption(.autoRead, value: false) }
    EventLoopFuture.andAllComplete(stopped, on: group.next())
      .flatMap { [group] in group.next().scheduleTask(in: Self.acceptPause) {}.futureResult }
      .flatMap { [group] in
        // Only this process's copy: nobody else's listener is touched.
        EventLoopFuture.andAllComplete(listeners.map { $0.close() }, on: group.next())
      }
      .whenComplete { [connections] _ in connections.drain(promise: promise) }
  }
}
