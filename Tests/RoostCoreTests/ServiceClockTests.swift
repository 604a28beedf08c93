import RoostCore
import Testing

@Suite("The clock of a service")
struct ServiceClockTests {
  private let start = Instant(sinceOrigin: .seconds(1000))

  /// A clock that has looked at the start.
  private func looked(before deadline: Duration = .seconds(60)) -> ServiceClock {
    var clock = ServiceClock()
    #expect(clock.look(at: start) == nil)
    _ = clock.nextLook(before: start + deadline, at: start)
    return clock
  }

  @Test("It wants to be looked at each half second, or at the deadline if that comes first")
  func next() {
    var clock = looked()
    #expect(clock.nextLook(before: start + .seconds(60), at: start) == start + .milliseconds(500))
    #expect(clock.nextLook(before: start + .milliseconds(20), at: start) == start + .milliseconds(20))
  }

  @Test("A look that comes much too late tells how long ago the last one was, once")
  func late() {
    var clock = looked()
    #expect(clock.look(at: start + .seconds(20)) == .seconds(20))
    #expect(clock.look(at: start + .seconds(20)) == nil)
  }

  @Test("A machine that is merely busy isn't late enough")
  func busy() {
    var clock = looked()
    #expect(clock.look(at: start + .milliseconds(1499)) == nil)
  }

  @Test("Who had little time left keeps it")
  func shortBefore() {
    var clock = looked(before: .milliseconds(100))
    #expect(clock.look(at: start + .seconds(5)) == .seconds(5))
  }

  @Test("A deadline that has passed is looked at, and is no other stall")
  func past() {
    var clock = looked()
    let late = start + .seconds(20)
    #expect(clock.look(at: late) != nil)
    #expect(clock.nextLook(before: start - .seconds(5), at: late) == start + .seconds(15))
    #expect(clock.look(at: late + .milliseconds(1)) == nil)
  }

  @Test("A stall between a look and the setting of the timer is told by the next look")
  func between() {
    var clock = ServiceClock()
    #expect(clock.look(at: start) == nil)
    let late = start + .seconds(5)
    #expect(clock.nextLook(before: start + .seconds(3), at: late) == start + .milliseconds(500))
    #expect(clock.look(at: late) == .seconds(5))
  }

  @Test("Where stalls follow each other, time passes nevertheless")
  func successive() {
    var clock = looked()
    var now = start
    var missed = Duration.zero
    for _ in 1...10 {
      now = now + .seconds(4)
      missed += clock.look(at: now) ?? .zero
      #expect(clock.look(at: now + .milliseconds(1)) == nil)
      _ = clock.nextLook(before: start + .seconds(600), at: now + .milliseconds(1))
    }
    #expect(now - start - missed > .seconds(4))
  }

  @Test("Without deadlines nobody looks, and nothing is a stall")
  func idle() {
    var clock = looked()
    #expect(clock.nextLook(before: nil, at: start) == nil)
    #expect(clock.look(at: start + .seconds(3600)) == nil)
  }

  @Test("It stands still by what it tells, and what it shows is turned back into time by as much")
  func standsStill() {
    var clock = looked()
    _ = clock.look(at: start + .seconds(3))
    #expect(clock.reading(at: start + .seconds(5)) == start + .seconds(2))
    #expect(clock.time(of: start + .seconds(2)) == start + .seconds(5))
    #expect(clock.nextLook(before: start + .milliseconds(100), at: start + .seconds(3)) == start + .milliseconds(3100))
  }
}
