import CRoostMaster
import Glibc
import RoostSystemd
import Testing

@testable import RoostMaster

@Suite("Sources without end")
struct BoundedSourceTests {
  /// Ends of pipes that are always readable, since nobody reads.
  private final class Floods {
    private var ends: [Int32] = []

    func make() throws -> Int32 {
      var pair: [Int32] = [0, 0]
      try #require(roost_pipe(&pair) == 0)
      try #require(write(pair[1], "x", 1) == 1)
      ends += pair
      return pair[0]
    }

    deinit { for end in ends { close(end) } }
  }

  @Test("Those that have more come after everybody else")
  func floods() throws {
    let loop = try EventLoop()
    let floods = Floods()
    var sources: [BoundedSource] = []
    var turns = 0
    for _ in 0..<10 {
      let number = try floods.make()
      let index = sources.count
      sources.append(
        try BoundedSource(readable: number, in: loop, priority: .first) {
          turns += 1
          sources[index].hasMore = true
        })
    }
    var latest = 0
    // Again and again: what is normal isn't kept waiting at any time.
    let other = try loop.onReadable(try floods.make(), priority: .normal) {
      latest = turns
      loop.exit(0)
    }
    #expect(try loop.run() == 0)
    #expect(latest == 10)
    withExtendedLifetime(other) {}
  }

  @Test("Those that are read to their ends and ready again at once come last for a while, and then first again")
  func trickles() throws {
    let loop = try EventLoop()
    let floods = Floods()
    var sources: [BoundedSource] = []
    var turns = 0
    for _ in 0..<10 {
      sources.append(try BoundedSource(readable: floods.make(), in: loop, priority: .first) { turns += 1 })
    }
    var seen: [Int] = []
    let other = try loop.onReadable(try floods.make(), priority: .last) {
      seen.append(turns)
      if seen.count == 20 { loop.exit(0) }
    }
    #expect(try loop.run() == 0)
    // Eight each, and they come before what is of a lower priority.
    #expect(seen[0] >= 80)
    // In each round: so many first, and some among those that come last.
    #expect(turns <= 20 * 200)
    #expect(turns >= 5 * 80)
    withExtendedLifetime(other) {}
  }

  @Test("One that isn't without end keeps its priority")
  func order() throws {
    let loop = try EventLoop()
    let floods = Floods()
    var order: [String] = []
    let late = try loop.onReadable(try floods.make(), priority: .late) {
      order.append("late")
      if order.count > 5 { loop.exit(0) }
    }
    var early: BoundedSource?
    early = try BoundedSource(readable: floods.make(), in: loop, priority: .early) {
      order.append("early")
      if order.count == 5 { early = nil }
    }
    #expect(try loop.run() == 0)
    #expect(order == ["early", "early", "early", "early", "early", "late"])
    withExtendedLifetime((late, early)) {}
  }

  @Test(
    "A signal that comes again and again doesn't keep another from being heard, and stays with the kernel meanwhile")
  func signals() throws {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGUSR1)
    sigaddset(&set, SIGUSR2)
    var before = sigset_t()
    pthread_sigmask(SIG_BLOCK, &set, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let loop = try EventLoop()
    var count = 0
    let flood = try BoundedSource(signal: SIGUSR1, in: loop, priority: .normal, rest: .unheard) { _ in
      count += 1
      // To this thread.
      if count < 1000 { raise(SIGUSR1) }
      if count == 1 { raise(SIGUSR2) }
    }
    var heardAfter: Int?
    let other = try BoundedSource(signal: SIGUSR2, in: loop, priority: .normal, rest: .never) { _ in heardAfter = count
    }
    raise(SIGUSR1)
    while count < 1000 { try loop.runOnce(microseconds: 1_000_000) }
    #expect(heardAfter.map { (1...8).contains($0) } ?? false, "\(String(describing: heardAfter))")
    withExtendedLifetime((flood, other)) {}
  }
}
