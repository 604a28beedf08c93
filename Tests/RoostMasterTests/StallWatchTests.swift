import RoostCore
import Testing

@testable import RoostMaster

@Suite("Stall watch")
struct StallWatchTests {
  private let start = Instant(sinceOrigin: .seconds(1000))

  /// A watch that has looked at the start.
  private func watch(before deadline: Duration = .seconds(60)) -> StallWatch {
    var watch = StallWatch()
    #expect(watch.look(at: start) == nil)
    _ = watch.next(before: start + deadline, at: start)
    return watch
  }

  @Test("It wants to be looked at each half second, or at the deadline if that comes first")
  func next() {
    var watch = watch()
    #expect(watch.next(before: start + .seconds(60), at: start) == start + .milliseconds(500))
    #expect(watch.next(before: start + .milliseconds(20), at: start) == start + .milliseconds(20))
  }

  @Test("A look that comes much too late tells how long ago the last one was, once")
  func late() {
    var watch = watch()
    #expect(watch.look(at: start + .seconds(20)) == .seconds(20))
    #expect(watch.look(at: start + .seconds(20)) == nil)
  }

  @Test("A machine that is merely busy isn't late enough")
  func busy() {
    var watch = watch()
    #expect(watch.look(at: start + .milliseconds(1499)) == nil)
  }

  @Test("Who had little time left keeps it")
  func shortBefore() {
    var watch = watch(before: .milliseconds(100))
    #expect(watch.look(at: start + .seconds(5)) == .seconds(5))
  }

  @Test("A deadline that isn't put off, and so has passed, is no other stall")
  func past() {
    var watch = watch()
    let late = start + .seconds(20)
    #expect(watch.look(at: late) != nil)
    #expect(watch.next(before: start + .seconds(15), at: late) == start + .seconds(15))
    #expect(watch.look(at: late + .milliseconds(1)) == nil)
  }

  @Test("A stall between a look and the setting of the timer is told by the next look")
  func between() {
    var watch = StallWatch()
    #expect(watch.look(at: start) == nil)
    let late = start + .seconds(5)
    #expect(watch.next(before: start + .seconds(3), at: late) == start + .milliseconds(500))
    #expect(watch.look(at: late) == .seconds(5))
  }

  @Test("Where stalls follow each other, time passes nevertheless")
  func successive() {
    var watch = watch()
    var now = start
    var missed = Duration.zero
    for _ in 1...10 {
      now = now + .seconds(4)
      missed += watch.look(at: now) ?? .zero
      #expect(watch.look(at: now + .milliseconds(1)) == nil)
      _ = watch.next(before: start + .seconds(600), at: now + .milliseconds(1))
    }
    #expect(now - start - missed > .seconds(4))
  }

  @Test("Without deadlines nobody looks, and nothing is a stall")
  func idle() {
    var watch = watch()
    #expect(watch.next(before: nil, at: start) == nil)
    #expect(watch.look(at: start + .seconds(3600)) == nil)
  }
}
