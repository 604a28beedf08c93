import RoostCore
import Testing

@testable import RoostMaster

@Suite("Stall watch")
struct StallWatchTests {
  private let start = Instant(sinceOrigin: .seconds(1000))

  @Test("It wants to be looked at each half second, or at the deadline if that comes first")
  func next() {
    var watch = StallWatch()
    #expect(watch.look(at: start) == nil)
    #expect(watch.next(before: start + .seconds(60), at: start) == start + .milliseconds(500))
    #expect(watch.next(before: start + .milliseconds(20), at: start) == start + .milliseconds(20))
  }

  @Test("A look that comes a second too late tells by how much, once")
  func late() {
    var watch = StallWatch()
    _ = watch.next(before: start + .seconds(60), at: start)
    #expect(watch.look(at: start + .seconds(20)) == .milliseconds(19_500))
    #expect(watch.look(at: start + .seconds(20)) == nil)
  }

  @Test("A machine that is merely busy isn't late enough")
  func busy() {
    var watch = StallWatch()
    _ = watch.next(before: start + .seconds(60), at: start)
    #expect(watch.look(at: start + .milliseconds(1499)) == nil)
  }

  @Test("A stall between a look and the setting of the timer is told by the next look")
  func between() {
    var watch = StallWatch()
    #expect(watch.look(at: start) == nil)
    let late = start + .seconds(5)
    #expect(watch.next(before: start + .seconds(3), at: late) == start + .milliseconds(500))
    #expect(watch.look(at: late) == .milliseconds(4500))
  }

  @Test("Without deadlines nobody looks, and nothing is a stall")
  func idle() {
    var watch = StallWatch()
    _ = watch.look(at: start)
    #expect(watch.next(before: nil, at: start) == nil)
    #expect(watch.look(at: start + .seconds(3600)) == nil)
  }
}
