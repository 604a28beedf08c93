#if NIO
import NIOCore
import Synchronization

/// Every accepted connection, so that draining knows which are still being set up, and when the last has ended.
final class Connections: Sendable {
  private struct Connection {
    let channel: any Channel
    var isSetUp = false
  }

  private struct State {
    var open: [ObjectIdentifier: Connection] = [:]
    var isAccepting = true
    /// Who waits until no connection is being set up, and who waits for the last one's end.
    var waitingForSetUp: [EventLoopPromise<Void>] = []
    var waitingForEnd: [EventLoopPromise<Void>] = []

    /// The promises that have come true.
    mutating func takeFulfilled() -> [EventLoopPromise<Void>] {
      var fulfilled: [EventLoopPromise<Void>] = []
      if open.values.allSatisfy(\.isSetUp) { swap(&fulfilled, &waitingForSetUp) }
      if open.isEmpty {
        fulfilled += waitingForEnd
        waitingForEnd = []
      }
      return fulfilled
    }
  }

  private let state = Mutex(State())

  var count: Int { state.withLock { $0.open.count } }

  /// Whether a listener may read, which is to accept.
  var isAccepting: Bool { state.withLock { $0.isAccepting } }

  func stopAccepting() {
    state.withLock { $0.isAccepting = false }
  }

  /// Has every connection pass through here when it is accepted, and when it is set up. On the channel's loop.
  func watch(_ listener: any Channel) throws {
    try listener.pipeline.syncOperations.addHandler(ListenerHandler(self, sees: accepted), position: .first)
    try listener.pipeline.syncOperations.addHandler(ListenerHandler(self, sees: setUp), position: .last)
  }

  func accepted(_ channel: any Channel) {
    state.withLock { $0.open[ObjectIdentifier(channel)] = Connection(channel: channel) }
    channel.closeFuture.whenComplete { [self] _ in ended(channel) }
  }

  func setUp(_ channel: any Channel) {
    change { $0.open[ObjectIdentifier(channel)]?.isSetUp = true }
  }

  private func ended(_ channel: any Channel) {
    change { $0.open[ObjectIdentifier(channel)] = nil }
  }

  /// Succeeds when no accepted connection is still being set up.
  func whenSetUp(on loop: any EventLoop) -> EventLoopFuture<Void> {
    let promise = loop.makePromise(of: Void.self)
    change { $0.waitingForSetUp.append(promise) }
    return promise.futureResult
  }

  /// Tells every connection to come to its end, and succeeds when the last has.
  func end(on loop: any EventLoop) -> EventLoopFuture<Void> {
    let promise = loop.makePromise(of: Void.self)
    let open = state.withLock { Array($0.open.values) }
    for connection in open { connection.channel.pipeline.fireUserInboundEventTriggered(DrainEvent()) }
    change { $0.waitingForEnd.append(promise) }
    return promise.futureResult
  }

  func close() {
    let open = state.withLock { Array($0.open.values) }
    for connection in open { connection.channel.close(promise: nil) }
  }

  private func change(_ body: (inout State) -> Void) {
    let fulfilled = state.withLock { state in
      body(&state)
      return state.takeFulfilled()
    }
    for promise in fulfilled { promise.succeed() }
  }
}

/// At both ends of a listener's handlers: the first sees what is accepted before anything is done with it, the last
/// what has passed the bootstrap's own, which set it up.
private final class ListenerHandler: ChannelDuplexHandler {
  typealias InboundIn = any Channel
  typealias InboundOut = any Channel
  typealias OutboundIn = Never

  private let connections: Connections
  private let see: (any Channel) -> Void

  init(_ connections: Connections, sees see: @escaping (any Channel) -> Void) {
    self.connections = connections
    self.see = see
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    see(unwrapInboundIn(data))
    context.fireChannelRead(data)
  }

  func read(context: ChannelHandlerContext) {
    // Also where a handler that limits connections asks for more because one has ended.
    if connections.isAccepting { context.read() }
  }
}
#endif
