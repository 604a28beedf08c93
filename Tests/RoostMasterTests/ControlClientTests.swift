import Glibc
import RoostControl
import RoostJSON
import RoostSystemd
import Testing

@testable import RoostMaster

@Suite("Clients of the control socket")
struct ControlClientTests {
  /// A client, and the other end of its connection, which is the test's to close.
  private func connect() throws -> (ControlClient, Int32) {
    var ends: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    let client = ControlClient(adopting: Descriptor(adopting: ends[0]), isAllowed: (pid: 1, uid: 0, isAllowed: true))
    return (client, ends[1])
  }

  @Test("One reply may be longer than what may wait; what comes on top of it may not")
  func longReply() throws {
    let (client, peer) = try connect()
    let loop = try EventLoop()
    let long = JSON.string(String(repeating: "x", count: 3 << 20))
    var isGone = false
    try client.watch(in: loop, call: { _, _ in }, gone: { _ in isGone = true })
    client.begin(.subscription)
    client.reply(VarlinkReply(parameters: ["text": long], continues: true))
    #expect(!isGone)
    client.reply(VarlinkReply(parameters: [:], continues: true))
    #expect(isGone)
    close(peer)
  }

  @Test("A long reply arrives whole")
  func whole() throws {
    let (client, peer) = try connect()
    let loop = try EventLoop()
    let reply = VarlinkReply(parameters: ["text": .string(String(repeating: "x", count: 3 << 20))])
    let wanted = Varlink.bytes(of: reply.json)
    var received: [UInt8] = []
    try client.watch(
      in: loop,
      call: { client, call in
        if call.method == "a.B" { client.reply(reply) }
      }, gone: { _ in loop.exit(1) })
    let call = Varlink.bytes(of: VarlinkCall(method: "a.B").json)
    try #require(send(peer, call, call.count, 0) == call.count)
    let reader = try loop.onReadable(peer, priority: .last) {
      var part = [UInt8](repeating: 0, count: 65536)
      let count = read(peer, &part, part.count)
      received += part[..<max(0, count)]
      if received.count >= wanted.count || count <= 0 { loop.exit(0) }
    }
    #expect(try loop.run() == 0)
    #expect(received == wanted)
    withExtendedLifetime(reader) {}
    close(peer)
  }
}
