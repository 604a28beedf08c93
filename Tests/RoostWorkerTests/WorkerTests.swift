import Glibc
import RoostContract
import RoostWorker
import Testing

/// One at a time: the environment belongs to the whole process.
@Suite("Worker", .serialized)
struct WorkerTests {
  /// Runs the body with nothing but these variables of the protocol.
  private func with(_ variables: [String: String], _ body: () throws -> Void) throws {
    for name in [
      "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "READY_FD", "ROOST_GENERATION", "ROOST_SLOT",
      "ROOST_SERVICE", "WATCHDOG_USEC", "WATCHDOG_PID",
    ] { unsetenv(name) }
    for (name, value) in variables { setenv(name, value, 1) }
    defer { for name in variables.keys { unsetenv(name) } }
    try body()
  }

  @Test("Outside Roost there is nothing, and saying ready is no error")
  func outside() throws {
    try with([:]) {
      let worker = try Worker()
      #expect(worker.listeners == [])
      #expect(worker.generation == nil && worker.slot == nil && worker.service == nil)
      try worker.ready()
      #expect(try worker.requestReload() == false)
    }
  }

  @Test("A worker knows who it is")
  func identity() throws {
    try with(["ROOST_GENERATION": "7", "ROOST_SLOT": "0", "ROOST_SERVICE": "web"]) {
      let worker = try Worker()
      #expect(worker.generation == 7 && worker.slot == 0 && worker.service == "web")
    }
  }

  @Test("Listeners that are meant for another process are none")
  func notMeant() throws {
    for variables in [["LISTEN_FDS": "1", "LISTEN_PID": "\(getpid() + 1)"], ["LISTEN_FDS": "1"]] {
      try with(variables) {
        let worker = try Worker()
        #expect(worker.listeners == [])
      }
    }
  }

  @Test(
    "A variable that makes no sense is an error that names it",
    arguments: [
      "LISTEN_FDS", "LISTEN_PID", "ROOST_GENERATION", "ROOST_SLOT", "READY_FD", "WATCHDOG_USEC", "WATCHDOG_PID",
    ])
  func senseless(_ name: String) throws {
    for value in ["", "x", "-1", "1.5", "99999999999999999999"] {
      var variables = ["LISTEN_FDS": "0", "LISTEN_PID": "\(getpid())"]
      variables[name] = value
      try with(variables) {
        #expect(throws: WorkerError.invalidEnvironment(name: name, value: value)) { _ = try Worker() }
      }
    }
  }

  @Test("More listeners than there are descriptors is an error")
  func tooMany() throws {
    try with(["LISTEN_FDS": "100000", "LISTEN_PID": "\(getpid())"]) {
      #expect(throws: WorkerError.invalidEnvironment(name: "LISTEN_FDS", value: "100000")) { _ = try Worker() }
    }
  }

  @Test("Messages arrive as the master reads them")
  func messages() throws {
    let name = "roost-worker-test/\(getpid())"
    let receiver = try Receiver(name)
    try with(["NOTIFY_SOCKET": "@" + name]) {
      let worker = try Worker()
      try worker.ready()
      #expect(try NotifyMessage(parsing: receiver.receive()).isReady)
      try worker.status("half\nREADY=0\0full")
      let status = try NotifyMessage(parsing: receiver.receive())
      #expect(status.status == "half READY=0 full" && !status.isReady)
      try worker.status(String(repeating: "é", count: 10_000))
      #expect(try NotifyMessage(parsing: receiver.receive()).status?.unicodeScalars.count == 1000)
      try worker.stopping()
      #expect(try NotifyMessage(parsing: receiver.receive()).isStopping)
      try worker.extendTimeout(by: .milliseconds(1500))
      #expect(try NotifyMessage(parsing: receiver.receive()).extendTimeoutMicroseconds == 1_500_000)
      #expect(try worker.requestReload())
      #expect(try NotifyMessage(parsing: receiver.receive()).requestsReload)
    }
  }

  @Test("A master that is gone is an error")
  func gone() throws {
    try with(["NOTIFY_SOCKET": "@roost-worker-test/nobody"]) {
      #expect(throws: WorkerError.notify(errno: ECONNREFUSED)) { try Worker().ready() }
    }
  }

  @Test("A line on the readiness pipe says ready")
  func pipe() throws {
    var ends: [Int32] = [0, 0]
    try #require(Glibc.pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    try with(["READY_FD": "\(ends[1])"]) { try Worker().ready() }
    var byte: UInt8 = 0
    #expect(read(ends[0], &byte, 1) == 1 && byte == UInt8(ascii: "\n"))
  }

  @Test("A worker that is watched says that it is alive, until it is told to end that")
  func watched() async throws {
    let name = "roost-worker-test/alive/\(getpid())"
    let receiver = try Receiver(name)
    var found: Worker?
    try with(["NOTIFY_SOCKET": "@" + name, "WATCHDOG_USEC": "20000"]) { found = try Worker() }
    let worker = try #require(found)
    #expect(worker.watchdogTimeout == .milliseconds(20))
    let alive = Task { try await worker.keepAlive() }
    for _ in 1...5 { #expect(try NotifyMessage(parsing: receiver.receive()).isAlive) }
    alive.cancel()
    try await alive.value
  }

  @Test("A worker that isn't watched itself says nothing")
  func notWatched() async throws {
    for variables in [[:], ["WATCHDOG_USEC": "0"], ["WATCHDOG_USEC": "20000", "WATCHDOG_PID": "\(getpid() + 1)"]] {
      let unreachable = variables.merging(["NOTIFY_SOCKET": "@roost-worker-test/nobody"]) { $1 }
      var found: Worker?
      try with(unreachable) { found = try Worker() }
      let worker = try #require(found)
      #expect(worker.watchdogTimeout == nil)
      // It would throw if it said something: nobody is there.
      try worker.ping()
      try await worker.keepAlive()
    }
  }

  @Test("A listener keeps its backlog whatever an event loop does to it")
  func backlog() throws {
    let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try #require(listening >= 0)
    defer { close(listening) }
    try #require(listen(listening, 77) == 0)
    let listener = InheritedListener(descriptor: listening, name: nil)
    #expect(listener.backlog == 77)
    let result = listener.keepingBacklog {
      listen(listening, 5)
      #expect(listener.backlog == 5)
      return "result"
    }
    #expect(result == "result")
    #expect(listener.backlog == 77)
  }

  @Test("A unix listener's queue isn't shorter than it was, whatever an event loop does to it")
  func unixBacklog() throws {
    let listening = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    try #require(listening >= 0)
    defer { close(listening) }
    // Autobind (unix(7)).
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var length = socklen_t(MemoryLayout<sockaddr_un>.size)
    try withUnsafeMutablePointer(to: &address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        try #require(bind(listening, generic, socklen_t(MemoryLayout<sa_family_t>.size)) == 0)
        try #require(listen(listening, 77) == 0)
        try #require(getsockname(listening, generic, &length) == 0)
        let listener = InheritedListener(descriptor: listening, name: nil)
        #expect(listener.backlog == nil)
        listener.keepingBacklog { _ = listen(listening, 5) }
        for number in 1...77 {
          let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
          #expect(connect(client, generic, length) == 0, "client \(number)")
          close(client)
        }
      }
    }
  }
}

/// In processes of their own: signals belong to the whole process.
@Suite("Stop signal")
struct StopSignalTests {
  @Test("A signal is told to all who wait, and to those who come later")
  func told() async {
    await #expect(processExitsWith: .success) {
      let stopSignal = StopSignal()
      let other = StopSignal([SIGUSR1])
      async let first = stopSignal.wait()
      kill(getpid(), SIGTERM)
      let second = await stopSignal.wait()
      var third: [Int32] = []
      for await signal in stopSignal.received { third.append(signal) }
      let fourth = await withCheckedContinuation { continuation in
        stopSignal.onStop { continuation.resume(returning: $0) }
      }
      kill(getpid(), SIGUSR1)
      let user = await other.wait()
      guard await first == SIGTERM, second == SIGTERM, third == [SIGTERM], fourth == SIGTERM, user == SIGUSR1 else {
        exit(1)
      }
      exit(0)
    }
  }

  @Test("Waiting ends when the task is cancelled")
  func cancelled() async {
    let stopSignal = StopSignal([SIGUSR2])
    let waiting = Task { await stopSignal.wait() }
    waiting.cancel()
    #expect(await waiting.value == nil)
  }

  @Test("A signal that comes while every thread is busy isn't lost")
  func busy() async {
    await #expect(processExitsWith: .exitCode(42)) {
      let stopSignal = StopSignal()
      stopSignal.onStop { _ in exit(42) }
      kill(getpid(), SIGTERM)
      while true {}
    }
  }
}

/// A datagram socket with an abstract address.
private final class Receiver {
  private let descriptor: Int32

  init(_ name: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: [0] + Array(name.utf8)) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    try #require(result == 0)
  }

  deinit {
    close(descriptor)
  }

  func receive() -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return Array(buffer[..<max(0, count)])
  }
}
