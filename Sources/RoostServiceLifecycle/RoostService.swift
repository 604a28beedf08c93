#if ServiceLifecycle
import Logging
import RoostWorker
import ServiceLifecycle
import Synchronization

/// A worker's side of Roost, as one of the services in a group: says that the worker is ready when all its parts are, and
/// ends when the stop signal comes, which shuts the other services down gracefully.
///
/// ```swift
/// let stopSignal = StopSignal()
/// let roost = RoostService(worker: try Worker(), stopSignal: stopSignal, parts: ["http"])
/// let server = MyServer(onListening: { roost.isReady("http") })
/// try await ServiceGroup(configuration: .init(services: [server], roost: roost, logger: logger)).run()
/// ```
///
/// Outside Roost it does the same; only nobody is told.
public final class RoostService: Service {
  /// What the master has given to this process.
  public let worker: Worker
  private let stopSignal: StopSignal
  private let missing: Mutex<[String]>
  private let ready = AsyncStream.makeStream(of: Void.self)

  /// - Parameters:
  ///   - worker: What the master has given to this process.
  ///   - stopSignal: The stop signal.
  ///   - parts: Names of what has to be ready before the worker is; each is to be told by `isReady(_:)`. Without any, it is
  ///     ready as soon as the services have been started.
  public init(worker: Worker, stopSignal: StopSignal, parts: [String] = []) {
    self.worker = worker
    self.stopSignal = stopSignal
    missing = Mutex(parts)
    if parts.isEmpty { ready.continuation.finish() }
  }

  /// Says that a part is ready. From any thread; a second time it does nothing.
  public func isReady(_ part: String) {
    let isLast = missing.withLock { missing in
      guard let index = missing.firstIndex(of: part) else { return false }
      missing.remove(at: index)
      return missing.isEmpty
    }
    if isLast { ready.continuation.finish() }
  }

  /// Runs until the stop signal comes, or the group shuts down for another reason.
  ///
  /// - Throws: `WorkerError.notify` if the master can't be told that the worker is ready.
  public func run() async throws {
    // It has to go on while the others shut down, which is after this has returned.
    Task { [worker] in try await worker.keepAlive() }
    for await _ in ready.stream.cancelOnGracefulShutdown() {}
    if missing.withLock({ $0.isEmpty }) { try worker.ready() }
    for await _ in stopSignal.received.cancelOnGracefulShutdown() { break }
    // A master that is gone needn't know.
    try? worker.stopping()
  }
}

extension ServiceGroupConfiguration {
  /// Services under Roost: they are started in this order, and shut down in the opposite one when the stop signal comes.
  ///
  /// - Parameters:
  ///   - services: The services, the ones that others need first.
  ///   - roost: The worker's side of Roost.
  ///   - logger: What the group logs to.
  public init(services: [any Service], roost: RoostService, logger: Logger) {
    var configurations = services.map { ServiceConfiguration(service: $0) }
    configurations.append(ServiceConfiguration(service: roost, successTerminationBehavior: .gracefullyShutdownGroup))
    self.init(services: configurations, logger: logger)
  }
}
#endif
