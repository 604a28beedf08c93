import Glibc
import Testing

@testable import RoostProcess

@Suite("Looking at retirees")
struct DrainSightTests {
  /// A socket that listens at a port of 127.0.0.1, or under a name of no file.
  private func listening(_ family: Int32) throws -> Int32 {
    let listener = socket(family, Int32(SOCK_STREAM.rawValue), 0)
    try #require(listener >= 0)
    var address = sockaddr_storage()
    var length = socklen_t(2)
    address.ss_family = sa_family_t(family)
    if family == AF_INET {
      withUnsafeMutableBytes(of: &address) { $0[4...7].copyBytes(from: [127, 0, 0, 1]) }
      length = socklen_t(MemoryLayout<sockaddr_in>.size)
    }
    let result = withUnsafePointer(to: address) { address in
      // With the family alone the kernel chooses a name (unix(7), autobind).
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, length) }
    }
    try #require(result == 0 && listen(listener, 8) == 0)
    return listener
  }

  private func connect(to listener: Int32, _ family: Int32) throws -> Int32 {
    let client = socket(family, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(listener, $0, &length) == 0 && Glibc.connect(client, $0, length) == 0
      }
    }
    try #require(result)
    return client
  }

  private func sight(of listener: Int32, _ identity: SocketIdentity) throws -> DrainSight {
    DrainSight(of: [getpid()], [identity], at: [try #require(ListenerPlace(of: listener))])
  }

  @Test("Accepted connections count, whoever waits or has connected doesn't", arguments: [AF_INET, AF_UNIX])
  func connections(_ family: Int32) throws {
    let listener = try listening(family)
    let identity = try #require(SocketIdentity(of: listener))
    #expect(try sight(of: listener, identity).connections == [])
    let client = try connect(to: listener, family)
    #expect(try sight(of: listener, identity).connections == [], "nobody has accepted it")
    let accepted = accept(listener, nil, nil)
    let copy = dup(accepted)
    defer { for number in [listener, client, accepted, copy] { close(number) } }
    let seen = try sight(of: listener, identity)
    #expect(seen.connections == [try #require(SocketIdentity(of: accepted)).inode])
    guard family == AF_INET, case .tcp(_, let port) = ListenerPlace(of: client) else {
      #expect(family == AF_UNIX && seen.peers.isEmpty)
      return
    }
    #expect(seen.peers == ["127.0.0.1:\(port)"])
    #expect(DrainSight(of: [getpid()], [identity], at: nil).connections == nil, "where it listens isn't known")
  }

  @Test("Who has a listener open may accept, who has none doesn't")
  func closed() throws {
    let listener = try listening(AF_INET)
    let identity = try #require(SocketIdentity(of: listener))
    let place = try #require(ListenerPlace(of: listener))
    #expect(try sight(of: listener, identity).accepts == nil)
    close(listener)
    let seen = DrainSight(of: [getpid()], [identity], at: [place])
    #expect(seen.accepts == false && seen.connections == [])
  }

  @Test("A connection that is new says that a worker accepts which has a listener open, and nothing else does")
  func compared() {
    let sight = DrainSight(accepts: nil, connections: [1, 2], peers: [])
    #expect(sight.compared(with: [1]).accepts == true)
    #expect(sight.compared(with: [1, 2, 3]).accepts == nil)
    #expect(sight.compared(with: nil).accepts == nil)
    #expect(DrainSight(accepts: false, connections: [1, 2], peers: []).compared(with: [1]).accepts == false)
    #expect(DrainSight(accepts: nil, connections: nil, peers: []).compared(with: [1]).accepts == nil)
  }

  @Test("Addresses are written as people do, of IPv4 in those of IPv6 too")
  func addresses() {
    #expect(Connections.text([10, 0, 0, 7], 51512) == "10.0.0.7:51512")
    #expect(Connections.text([UInt8](repeating: 0, count: 15) + [1], 80) == "[::1]:80")
    let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 10, 0, 0, 7]
    #expect(ListenerPlace.plain(mapped) == [10, 0, 0, 7])
    #expect(ListenerPlace(of: -1) == nil)
  }
}
