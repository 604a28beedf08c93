import Glibc
import RoostHandoff
import RoostWorker
import Testing

/// One at a time: the environment belongs to the whole process.
@Suite("Worker", .serialized)
struct WorkerTests {
  /// Runs the body with nothing but these variables of the protocol.
  private func with(_ variables: [String: String], _ body: () throws -> Void) throws {
    for name in [
      "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "READY_FD", "ROOST_GENERATION", "ROOST_SLOT",
      "ROOST_SERVICE",
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
    arguments: ["LISTEN_FDS", "LISTEN_PID", "ROOST_GENERATION", "ROOST_SLOT", "READY_FD"])
  func senseless(_ name: String) throws {
    for value in ["", "x", "-1", "1.5", "99999999999"] {
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
