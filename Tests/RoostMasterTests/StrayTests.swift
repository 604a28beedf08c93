import Glibc
import RoostCore
import Testing

@testable import RoostMaster
@testable import RoostProcess

@Suite("Strays")
struct StrayTests {
  @Test(
    "A mark tells what it was made of, and only to the master that made it",
    arguments: [.worker(1), .worker(1 << 38 - 1), .hook(.beforeReload), .hook(.afterTakeover), .probe]
      as [ProcessMark.Origin])
  func marks(_ origin: ProcessMark.Origin) {
    // The largest pid that Linux can have.
    for master in [1, 4711, 4_194_304] as [pid_t] {
      let value = ProcessMark(origin).value(master: master)
      #expect(ProcessMark(value: value, master: master)?.origin == origin)
      #expect(ProcessMark(value: value, master: master + 1) == nil)
      #expect(value < .max)
    }
  }

  @Test("What isn't a mark isn't taken for one", arguments: [0, 1, 1024, .max, .max >> 1] as [UInt64])
  func otherValues(_ value: UInt64) {
    #expect(ProcessMark(value: value, master: 4711) == nil)
  }

  @Test("A process has open what it has open")
  func openSockets() throws {
    let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(number) }
    let identity = try #require(SocketIdentity(of: number))
    var budget = 65536
    #expect(OpenSockets.holds(getpid(), anyOf: [identity.inode, 1], within: &budget) == true)
    #expect(OpenSockets.holds(getpid(), anyOf: [], within: &budget) == false)
    // None has a pid like that.
    #expect(OpenSockets.holds(pid_t.max, anyOf: [identity.inode], within: &budget) == false)
    budget = 0
    #expect(OpenSockets.holds(getpid(), anyOf: [], within: &budget) == nil, "nobody knows")
  }

  @Test("Whoever has a socket open is found among all processes, within bounds")
  func holders() throws {
    let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(number) }
    let identity = try #require(SocketIdentity(of: number))
    let found = SocketHolders(of: [identity.inode])
    let holder = try #require(found.holders.first { $0.pid == getpid() })
    #expect(holder.sockets == [identity.inode])
    #expect(holder.facts.started != nil)
    #expect(SocketHolders.holder(getpid(), of: [identity.inode])?.facts.started == holder.facts.started)
    #expect(SocketHolders.holder(getpid(), of: []) == nil)

    #expect(SocketHolders(of: [identity.inode], within: .init(processes: 1)).isCutShort)
    #expect(SocketHolders(of: [identity.inode], within: .init(descriptors: 1)).unseen.contains(getpid()))
    let late = SocketHolders(of: [identity.inode], within: .init(milliseconds: 0))
    #expect(late.holders.isEmpty && late.unseen.contains(getpid()))
  }

  @Test("An outsider is forgotten when another process has its pid")
  func outsiders() throws {
    let started = try #require(ProcessFacts(of: getpid())?.started)
    #expect(Outsider(pid: getpid(), started: started, name: "x", sockets: []).isAlive)
    #expect(!Outsider(pid: getpid(), started: started + 1, name: "x", sockets: []).isAlive)
    #expect(ProcessTree.ancestors(of: getpid()).first == getppid())
  }

  @Test("Processes are counted where they are many")
  func names() {
    #expect(["1 (a)"].asProcesses == "process 1 (a)")
    #expect(["1 (a)", "2 (b)", "3 (c)"].asProcesses == "processes 1 (a), 2 (b) and 3 (c)")
    #expect((1...7).map { "\($0)" }.asProcesses == "processes 1, 2, 3, 4, 5 and 2 more")
    #expect([String]().asProcesses == "processes")
  }

  @Test("A few stops are told, then that no more are, until none came for a minute")
  func stopNews() {
    var news = StopNews()
    var now = Instant(sinceOrigin: .zero)
    for _ in 1..<StopNews.most {
      expect(&news, .tell, thenTold: true, at: now)
    }
    expect(&news, .tellAsLast, thenTold: false, at: now)
    now = now + .seconds(59)
    expect(&news, .leaveOut, thenTold: false, at: now)
    now = now + .seconds(59)
    expect(&news, .leaveOut, thenTold: false, at: now)
    now = now + .seconds(60)
    expect(&news, .tell, thenTold: true, at: now)
  }

  private func expect(_ news: inout StopNews, _ decision: StopNews.Decision, thenTold: Bool, at now: Instant) {
    let (stopped, wentOn) = (news.stopped(at: now), news.wentOn(at: now))
    #expect(stopped == decision)
    #expect(wentOn == thenTold)
  }
}
