import Logging
import RoostServiceLifecycle
import RoostWorker
import ServiceLifecycle

let stopSignal = StopSignal()
let roost = RoostService(worker: try Worker(), stopSignal: stopSignal, parts: ["store", "http"])
let logger = Logger(label: "service-worker")
let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 8080

// The store first: the server needs it until its last answer, so it is shut down after it.
let store = Store(roost: roost, logger: logger)
let server = HTTPServer(roost: roost, port: port, logger: logger)
try await ServiceGroup(configuration: .init(services: [store, server], roost: roost, logger: logger)).run()
