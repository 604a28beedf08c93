#if Hummingbird
import Hummingbird
import HummingbirdCore
import RoostNIO
import RoostWorker
import ServiceLifecycle
import UnixSignals

extension ApplicationProtocol {
  /// Runs the application on the listeners that it inherits from Roost, says that it is ready when it accepts, and drains
  /// on the stop signal without losing a request. Outside Roost it is `runService()`: it binds the address of its
  /// configuration.
  ///
  /// ```swift
  /// try await app.runUnderRoost()
  /// ```
  ///
  /// The application's `server` counts outside Roost only, since Hummingbird doesn't let others look into it. Under Roost the
  /// connections are HTTP/1, with this configuration.
  ///
  /// - Parameters:
  ///   - http1: How connections are handled.
  ///   - listeners: Which of the inherited listeners it accepts on; all of them, unless told otherwise.
  ///   - stopSignals: What asks it to drain. SIGINT stands for Ctrl-C of somebody who runs it by hand.
  public func runUnderRoost(
    http1: HTTP1Channel.Configuration = .init(),
    listeners: @Sendable (InheritedListener) -> Bool = { _ in true },
    stopSignals: [UnixSignal] = [.sigterm, .sigint]
  ) async throws {
    try await runUnderRoost(listeners: listeners, stopSignals: stopSignals) { responder in
      HTTP1Channel(responder: responder, configuration: http1)
    }
  }

  /// The same with another kind of connections, such as those with TLS.
  ///
  /// A connection that isn't HTTP/1 in the end drains as the kind itself has it.
  ///
  /// - Parameters:
  ///   - listeners: Which of the inherited listeners it accepts on; all of them, unless told otherwise.
  ///   - stopSignals: What asks it to drain.
  ///   - connections: Makes the kind of connections for a responder, as `HTTPServerBuilder` does.
  public func runUnderRoost<Connections: ServerChildChannel>(
    listeners: @Sendable (InheritedListener) -> Bool = { _ in true },
    stopSignals: [UnixSignal] = [.sigterm, .sigint],
    connections: @escaping @Sendable (@escaping HTTPChannelHandler.Responder) throws -> Connections
  ) async throws {
    let worker = try Worker()
    worker.keepAlive(on: eventLoopGroup)
    let service: any Service
    if worker.listeners.isEmpty {
      service = OwnAddressApplication(base: self, worker: worker)
    } else {
      service = InheritingApplication(
        base: self, worker: worker, listeners: worker.listeners.filter(listeners), connections: connections)
    }
    try await ServiceGroup(
      configuration: .init(services: [service], gracefulShutdownSignals: stopSignals, logger: logger)
    ).run()
  }
}
#endif
