import CRoostMaster
import Glibc
import Testing

@testable import RoostMaster

/// Each test has a process of its own: what closes descriptors becomes a child of it, and stays one.
@Suite("A socket that is closed with something in it")
struct DescriptorTests {
  /// A pipe of which the other end is on its way through a socket.
  private struct Passed {
    let readEnd: SharedSocket
    private let writeEnd: Int32

    init() {
      var ends: [Int32] = [0, 0]
      #expect(roost_pipe(&ends) == 0)
      _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
      readEnd = SharedSocket(adopting: Descriptor(adopting: ends[0]))
      writeEnd = ends[1]
    }

    var writeNumber: Int32 { writeEnd }

    func send(_ socket: Int32, times count: Int = 1) {
      for _ in 0..<count { #expect(roost_send_datagram(socket, "x", 1, writeEnd) == 0) }
      close(writeEnd)
    }

    /// Whether no copy of the other end is open any more.
    var isClosed: Bool {
      var byte: UInt8 = 0
      return read(readEnd.descriptor.number, &byte, 1) == 0
    }

    /// Whether that comes about. Another process closes it.
    var getsClosed: Bool {
      var end = pollfd(fd: readEnd.descriptor.number, events: Int16(POLLIN), revents: 0)
      return poll(&end, 1, 60_000) == 1 && isClosed
    }
  }

  private static func socket(_ family: Int32) -> SharedSocket {
    SharedSocket(adopting: Descriptor(adopting: Glibc.socket(family, Int32(SOCK_STREAM.rawValue), 0)))
  }

  @Test("Descriptors that nobody has taken are closed before it is")
  func drained() async {
    await #expect(processExitsWith: .success) {
      for type in [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET] { Self.drained(type.rawValue) }
    }
  }

  private static func drained(_ type: UInt32) {
    var ends: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(type), 0, &ends) == 0)
    let own = SharedSocket(adopting: Descriptor(adopting: ends[0]))
    let other = SharedSocket(adopting: Descriptor(adopting: ends[1]))
    let passed = Passed()
    passed.send(ends[1], times: 5)
    #expect(!passed.isClosed)
    own.descriptor.shutDown()
    #expect(passed.getsClosed)
    #expect(roost_send_datagram(ends[1], "x", 1, -1) != 0, "nothing more can come")
    withExtendedLifetime((own, other)) {}
  }

  @Test("So are those on connections that nobody has accepted")
  func accepted() async {
    await #expect(processExitsWith: .success) { Self.accepted() }
  }

  private static func accepted() {
    let address = SocketAddress(abstract: "roost-test/\(getpid())/drain")
    let listener = socket(AF_UNIX)
    let client = socket(AF_UNIX)
    let isConnected =
      address.bind(listener.descriptor) && listen(listener.descriptor.number, 1) == 0
      && address.connect(client.descriptor)
    #expect(isConnected)
    let passed = Passed()
    passed.send(client.descriptor.number)
    listener.descriptor.shutDown()
    #expect(passed.getsClosed)
  }

  @Test("Nothing is waited for, however deep it is hidden")
  func nested() async {
    await #expect(processExitsWith: .success) { Self.nested() }
  }

  private static func nested() {
    // A file that is passed through a socket, which is passed through another.
    var inner: [Int32] = [0, 0]
    var outer: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &inner) == 0)
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &outer) == 0)
    let passed = Passed()
    passed.send(inner[1])
    #expect(roost_send_datagram(outer[1], "x", 1, inner[0]) == 0)
    for number in inner { close(number) }
    let own = SharedSocket(adopting: Descriptor(adopting: outer[0]))
    own.descriptor.shutDown()
    #expect(passed.getsClosed)
    close(outer[1])
  }

  @Test("Many that come at once are all closed, each by a process of its own")
  func many() async {
    await #expect(processExitsWith: .success) { Self.many() }
  }

  private static func many() {
    let passed = (0..<300).map { _ in Passed() }
    var numbers = passed.map(\.writeNumber)
    roost_close_elsewhere(&numbers, numbers.count, 7)
    #expect(!PassedDescriptors.areTooMany(from: 7), "they are quick")
    for one in passed { #expect(one.getsClosed) }
  }

  @Test("A socket of another family, or something that is no socket, is left as it is")
  func other() async {
    await #expect(processExitsWith: .success) { Self.other() }
  }

  private static func other() {
    Passed().readEnd.descriptor.shutDown()
    let listener = socket(AF_INET)
    let number = listener.descriptor.number
    #expect(listen(number, 1) == 0)
    listener.descriptor.shutDown()
    var listens: Int32 = 0
    var length = socklen_t(4)
    getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length)
    #expect(listens == 1)
  }
}
