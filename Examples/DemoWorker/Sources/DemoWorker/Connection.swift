import NIOCore
import NIOHTTP1

/// One client's connection: answers its requests, one after the other, and brings it to its end without cutting one off.
final class Connection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  /// While draining, a connection without a request gets this long for one more. A client that was about to send one
  /// sees an answer with `Connection: close` then, instead of a connection that was closed under its request.
  private static let idleGrace = TimeAmount.milliseconds(500)
  /// A new connection's first request may still be on its way through the network.
  private static let firstRequestGrace = TimeAmount.seconds(2)
  /// How long the client has to close its side after the last response.
  private static let lingerTimeout = TimeAmount.seconds(1)

  private enum Phase {
    case fresh
    case idle
    case receiving(HTTPRequestHead)
    case answering
    case closing
  }

  private let responder: Responder
  private let connections: Connections
  private var phase = Phase.fresh

  init(responder: Responder, connections: Connections) {
    self.responder = responder
    self.connections = connections
  }

  func channelActive(context: ChannelHandlerContext) {
    connections.add(context.channel)
    // Accepted in the instant in which draining began: nobody else will tell it.
    if connections.isDraining { drain(context: context) }
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    connections.remove(context.channel)
    context.fireChannelInactive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is DrainEvent { drain(context: context) }
    context.fireUserInboundEventTriggered(event)
  }

  private func drain(context: ChannelHandlerContext) {
    switch phase {
    case .fresh: closeLater(Self.firstRequestGrace, context: context)
    case .idle: closeLater(Self.idleGrace, context: context)
    case .receiving, .answering, .closing: break  // The response closes it.
    }
  }

  /// Closes the connection if it is without a request then.
  private func closeLater(_ grace: TimeAmount, context: ChannelHandlerContext) {
    let context = NIOLoopBound(context, eventLoop: context.eventLoop)
    let this = NIOLoopBound(self, eventLoop: context.value.eventLoop)
    context.value.eventLoop.scheduleTask(in: grace) {
      switch this.value.phase {
      case .fresh, .idle: context.value.close(promise: nil)
      case .receiving, .answering, .closing: break
      }
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      phase = .receiving(head)
    case .body:
      break
    case .end:
      guard case .receiving(let head) = phase else { return }
      phase = .answering
      answer(head, context: context)
    }
  }

  private func answer(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
    let context = NIOLoopBound(context, eventLoop: context.eventLoop)
    let this = NIOLoopBound(self, eventLoop: context.value.eventLoop)
    responder.respond(to: head, on: context.value.eventLoop).whenSuccess { response in
      this.value.send(response, to: head, context: context.value)
    }
  }

  private func send(_ response: Response, to request: HTTPRequestHead, context: ChannelHandlerContext) {
    guard context.channel.isActive else { return }
    let isLast = !request.isKeepAlive || connections.isDraining
    phase = isLast ? .closing : .idle
    var headers = response.headers
    headers.replaceOrAdd(name: "Content-Length", value: "\(response.body.utf8.count)")
    headers.replaceOrAdd(name: "Connection", value: isLast ? "close" : "keep-alive")
    let head = HTTPResponseHead(version: .http1_1, status: response.status, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if request.method != .HEAD {
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: response.body)))), promise: nil)
    }
    let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
    if isLast { closeAfter(written, context: context) }
  }

  /// Closes the connection for writing, and altogether when the client has closed it. A close of both sides at once may
  /// reset the connection if the client has sent more, and take the response with it.
  private func closeAfter(_ written: EventLoopFuture<Void>, context: ChannelHandlerContext) {
    let channel = context.channel
    written.flatMap { channel.close(mode: .output) }.whenComplete { _ in
      channel.eventLoop.scheduleTask(in: Self.lingerTimeout) { channel.close(promise: nil) }
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
