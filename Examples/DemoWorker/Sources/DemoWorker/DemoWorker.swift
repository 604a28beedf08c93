import ArgumentParser
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import RoostNIO
import RoostWorker

/// A small HTTP server that loses no request when Roost replaces it.
struct DemoWorker: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo-worker",
    abstract: "A small HTTP server that loses no request when Roost replaces it.",
    discussion: """
      / greets. /sleep?seconds=50 answers late. /graceful asks the master for a reload, which --allow-worker-reload of \
      'roost run' allows. Serves on the listeners it inherits; run by hand, it opens its own.
      """)

  @Option(help: "Run by hand: the port to open on 127.0.0.1.")
  var port = 8080

  @Option(help: "How long to pretend that it isn't ready yet, in seconds.")
  var readyDelay = 0.0

  @Option(help: "Fail: exit with this status instead of starting.")
  var failAtStart: Int32?

  static func main(stopSignal: StopSignal) -> Never {
    do {
      try parseOrExit().serve(until: stopSignal)
      Glibc.exit(0)
    } catch {
      print("demo-worker: \(error)")
      Glibc.exit(1)
    }
  }

  /// Serves until the stop signal has come and everything is drained.
  private func serve(until stopSignal: StopSignal) throws {
    if let failAtStart { Glibc.exit(failAtStart) }
    let worker = try Worker()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    worker.keepAlive(on: group)
    if readyDelay > 0 {
      try group.next().scheduleTask(in: .milliseconds(Int64(readyDelay * 1000))) {}.futureResult.wait()
    }
    let server = try bootstrap(group, worker)
      .bind(inheriting: worker.listeners, otherwise: SocketAddress(ipAddress: "127.0.0.1", port: port)).wait()
    if worker.listeners.isEmpty { print("demo-worker: http://127.0.0.1:\(port)/") }
    try worker.ready()
    let drained = group.next().makePromise(of: Void.self)
    stopSignal.onStop { _ in server.drain().cascade(to: drained) }
    try drained.futureResult.wait()
  }

  private func bootstrap(_ group: any EventLoopGroup, _ worker: Worker) -> ServerBootstrap {
    ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(HTTPDrainHandler())
          try channel.pipeline.syncOperations.addHandler(Answers(responder: Responder(worker: worker)))
        }
      }
  }
}
