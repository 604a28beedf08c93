#if Hummingbird
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import RoostWorker
import ServiceLifecycle

/// The application on inherited listeners. What `ApplicationProtocol.run()` does, with another server: Hummingbird's own
/// binds an address in any case.
struct InheritingApplication<Base: ApplicationProtocol, Connections: ServerChildChannel>: Service {
  let base: Base
  let worker: Worker
  let listeners: [InheritedListener]
  let connections: @Sendable (@escaping HTTPChannelHandler.Responder) throws -> Connections

  func run() async throws {
    let server = InheritingServer(
      connections: try connections(try await responder()), worker: worker, listeners: listeners,
      group: base.eventLoopGroup, configuration: base.configuration, logger: base.logger,
      beforeStart: base.processesRunBeforeServerStart, onRunning: base.onServerRunning)
    try await ServiceGroup(configuration: .init(services: base.services + [server], logger: base.logger)).run()
  }

  /// From a request to the last byte of its response, as in `ApplicationProtocol.run()`.
  private func responder() async throws -> HTTPChannelHandler.Responder {
    let responder = try await base.responder
    let logger = base.logger
    let serverName = base.configuration.serverName
    let date = DateField()
    return { (request, writer: consuming ResponseWriter, channel) in
      var requestLogger = logger
      requestLogger[metadataKey: "hb.request.id"] = .stringConvertible(RequestID())
      let response = try await withLogger(requestLogger) { logger in
        let context = Base.Responder.Context(source: .init(channel: channel, logger: logger))
        var response: Response
        do {
          response = try await responder.respond(to: request, context: context)
        } catch let error as HTTPParserError {
          throw error
        } catch {
          logger.debug("Unrecognised Error", metadata: ["error.type": "\(error)"])
          response = Response(status: .internalServerError)
        }
        response.headers[.date] = date.current
        if let serverName { response.headers[.server] = serverName }
        return response
      }
      do {
        try await writer.write(response: response.head, body: response.body)
      } catch is HTTPParserError {
        // As it is, it would be answered: with a second response behind the beginning of this one.
        throw ResponseCutOff()
      }
    }
  }
}

/// The request that a response is made from turned out to be malformed while the response was being written.
private struct ResponseCutOff: Error {}
#endif
