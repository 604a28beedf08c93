import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import RoostNIO
import RoostServiceLifecycle
import ServiceLifecycle

/// A server on SwiftNIO as a service.
struct HTTPServer: Service {
  let roost: RoostService
  let port: Int
  let logger: Logger

  func run() async throws {
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandlers(HTTPDrainHandler(), Hello())
        }
      }
      .bind(inheriting: roost.worker.listeners, otherwise: SocketAddress(ipAddress: "127.0.0.1", port: port)).get()
    roost.isReady("http")
    try await gracefulShutdown()
    try await server.drain().get()
    logger.info("the server is drained")
  }
}

/// Answers every request in the same way; `/slow` takes two seconds.
private final class Hello: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private var isSlow = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): isSlow = head.uri == "/slow"
    case .body: break
    case .end:
      let context = NIOLoopBound(context, eventLoop: context.eventLoop)
      let this = NIOLoopBound(self, eventLoop: context.value.eventLoop)
      if !isSlow { return answer(context.value) }
      context.value.eventLoop.scheduleTask(in: .seconds(2)) { this.value.answer(context.value) }
    }
  }

  private func answer(_ context: ChannelHandlerContext) {
    let body = ByteBuffer(string: "Hello\n")
    let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Content-Length": "\(body.readableBytes)"])
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}
