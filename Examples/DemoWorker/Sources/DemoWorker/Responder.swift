import Glibc
import NIOCore
import NIOHTTP1
import RoostWorker

/// An answer to be sent.
struct Response: Sendable {
  var status: HTTPResponseStatus
  var body: String
  var headers: HTTPHeaders = ["Content-Type": "text/plain; charset=utf-8"]
}

/// What the demo worker answers.
struct Responder: Sendable {
  private static let longestSleep = 3600.0

  let worker: Worker

  func respond(to request: HTTPRequestHead, on loop: EventLoop) -> EventLoopFuture<Response> {
    let parts = request.uri.split(separator: "?", maxSplits: 1)
    guard request.method == .GET || request.method == .HEAD else {
      return loop.makeSucceededFuture(response(.methodNotAllowed, "GET and HEAD only\n"))
    }
    switch parts.first ?? "/" {
    case "/": return loop.makeSucceededFuture(response(.ok, greeting))
    case "/sleep": return sleep(query: parts.dropFirst().first ?? "", on: loop)
    case "/graceful": return loop.makeSucceededFuture(requestReload())
    default: return loop.makeSucceededFuture(response(.notFound, "there are /, /sleep?seconds=N and /graceful\n"))
    }
  }

  private var greeting: String {
    "Hello from worker \(getpid()) of generation \(generation) at \(time)\n"
  }

  private var generation: String { worker.generation.map(String.init) ?? "none" }

  private var time: String {
    var now = Glibc.time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    return String(unsafeUninitializedCapacity: 32) { text in
      text.withMemoryRebound(to: CChar.self) { strftime($0.baseAddress!, $0.count, "%Y-%m-%dT%H:%M:%SZ", &parts) }
    }
  }

  private func sleep(query: Substring, on loop: EventLoop) -> EventLoopFuture<Response> {
    guard query.hasPrefix("seconds="), let seconds = Double(query.dropFirst(8)),
      (0...Self.longestSleep).contains(seconds)
    else { return loop.makeSucceededFuture(response(.badRequest, "say /sleep?seconds=N, 0 to 3600\n")) }
    return loop.scheduleTask(in: .milliseconds(Int64(seconds * 1000))) {
      response(.ok, "slept for \(seconds) s; \(greeting)")
    }.futureResult
  }

  private func requestReload() -> Response {
    do {
      guard try worker.requestReload() else {
        return response(.serviceUnavailable, "nobody to ask: this isn't run by roost\n")
      }
      return response(.accepted, "asked for a reload\n")
    } catch {
      return response(.serviceUnavailable, "the master can't be asked: \(error)\n")
    }
  }

  private func response(_ status: HTTPResponseStatus, _ body: String) -> Response {
    var response = Response(status: status, body: body)
    response.headers.add(name: "X-Pid", value: "\(getpid())")
    response.headers.add(name: "X-Generation", value: generation)
    return response
  }
}
