#if NIO
import NIOCore
import NIOHTTP1
import RoostHTTPDrain

/// Brings an HTTP/1 connection to its end when it is told to drain (`DrainEvent`), without cutting a request off.
///
/// Add it behind `configureHTTPServerPipeline()`, before the handler that answers. While the server drains it puts
/// `Connection: close` into the last response; an idle connection may send one more request within two seconds. It also
/// closes a connection whose client has asked for that, so that the handler that answers need not. Where a connection can
/// change its protocol, name it among the handlers that are removed then.
public final class HTTPDrainHandler: ChannelDuplexHandler, RemovableChannelHandler {
  /// Parts of requests come in.
  public typealias InboundIn = HTTPServerRequestPart
  /// They go on as they are.
  public typealias InboundOut = HTTPServerRequestPart
  /// Parts of responses go out.
  public typealias OutboundIn = HTTPServerResponsePart
  /// The head of the last one says so.
  public typealias OutboundOut = HTTPServerResponsePart

  /// While draining, a connection without a request gets two seconds for one more. A client that was about to send one
  /// sees a response with `Connection: close` then, instead of a connection that was closed under its request.
  /// A packet that is lost is sent again after a second at the latest (RFC 6298), so this is longer. In steps: a machine
  /// that stands still, as a virtual one does that is moved, takes one step at most from clients that stood still with it.
  private static let graceStep = TimeAmount.milliseconds(100)
  private static let graceSteps = 20
  /// How long the client has to close its side after the last response.
  private static let lingerTimeout = TimeAmount.seconds(1)

  private var drain = HTTPDrain()
  /// Another protocol has taken the connection over, or it has ended.
  private var isRemoved = false

  /// A handler for one connection.
  public init() {}

  /// Takes the event to drain, and lets it go on.
  public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is DrainEvent { carry(out: drain.drainRequested(), context: context) }
    context.fireUserInboundEventTriggered(event)
  }

  /// Leaves the connection alone from now on.
  public func handlerRemoved(context: ChannelHandlerContext) {
    isRemoved = true
  }

  /// Sees where requests begin and end.
  public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): drain.requestBegan(keepsAlive: head.isKeepAlive)
    case .body: break
    case .end: carry(out: drain.requestEnded(), context: context)
    }
    context.fireChannelRead(data)
  }

  /// Has the last response say so, and ends the connection behind it.
  public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(var head):
      if head.status.isInformational || !drain.responseBegan(saysClose: !head.isKeepAlive) { break }
      head.headers.replaceOrAdd(name: "Connection", value: "close")
      return context.write(wrapOutboundOut(.head(head)), promise: promise)
    case .body: break
    case .end:
      let order = drain.responseEnded()
      if order == .closeWhenWritten {
        let written = promise ?? context.eventLoop.makePromise()
        close(context.channel, behind: written.futureResult)
        return context.write(data, promise: written)
      }
      carry(out: order, context: context)
    }
    context.write(data, promise: promise)
  }

  private func carry(out order: HTTPDrain.Order, context: ChannelHandlerContext) {
    switch order {
    case .none, .closeWhenWritten: break
    case .wait: wait(steps: Self.graceSteps, on: context.channel)
    }
  }

  /// Closes the connection after so many steps, unless a request comes.
  private func wait(steps: Int, on channel: any Channel) {
    guard drain.hasNoRequest, !isRemoved else { return }
    if steps == 0 { return channel.close(promise: nil) }
    let handler = NIOLoopBound(self, eventLoop: channel.eventLoop)
    channel.eventLoop.scheduleTask(in: Self.graceStep) { handler.value.wait(steps: steps - 1, on: channel) }
  }

  /// Closes the connection for writing, and altogether when the client has closed it. A close of both sides at once may
  /// reset the connection if the client has sent more, and take the response with it.
  private func close(_ channel: any Channel, behind written: EventLoopFuture<Void>) {
    written.flatMap { channel.close(mode: .output) }.whenComplete { _ in
      let end = channel.eventLoop.scheduleTask(in: Self.lingerTimeout) { channel.close(promise: nil) }
      channel.closeFuture.whenComplete { _ in end.cancel() }
    }
  }
}

extension HTTPResponseStatus {
  /// Whether it only announces a response, or the end of HTTP on this connection: neither is the last response.
  fileprivate var isInformational: Bool { (100..<200).contains(code) }
}
#endif
