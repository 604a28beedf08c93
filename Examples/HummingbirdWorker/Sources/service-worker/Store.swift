import Logging
import RoostServiceLifecycle
import ServiceLifecycle

/// Stands for what a server needs, such as a pool of connections to a database.
struct Store: Service {
  let roost: RoostService
  let logger: Logger

  func run() async throws {
    roost.isReady("store")
    try await gracefulShutdown()
    logger.info("the store is closed")
  }
}
