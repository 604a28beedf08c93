#if Hummingbird
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import RoostWorker
import ServiceLifecycle

/// The application as it is, on the address of its configuration; it also tells whoever listens, such as systemd, when it
/// is ready.
struct OwnAddressApplication<Base: ApplicationProtocol>: ApplicationProtocol {
  let base: Base
  let worker: Worker

  var responder: Base.Responder { get async throws { try await base.responder } }
  var server: HTTPServerBuilder { base.server }
  var eventLoopGroup: any EventLoopGroup { base.eventLoopGroup }
  var configuration: ApplicationConfiguration { base.configuration }
  var logger: Logger { base.logger }
  var services: [any Service] { base.services }
  var processesRunBeforeServerStart: [@Sendable () async throws -> Void] { base.processesRunBeforeServerStart }

  func onServerRunning(_ channel: any Channel) async {
    await base.onServerRunning(channel)
    worker.sayReady(logger)
  }
}

extension Worker {
  /// Says that it is ready. A master that can't be told is gone, and has sent its stop signal.
  func sayReady(_ logger: Logger) {
    do { try ready() } catch { logger.error("cannot say that it is ready: \(error)") }
  }
}
#endif
