import RoostCore
import Testing

@Suite("Watching for acceptance")
struct AcceptanceScheduleTests {
  let start = Instant(sinceOrigin: .seconds(1000))

  /// The macro's argument can't change anything.
  private func expect(_ isReady: Bool, _ expected: Bool, _ location: SourceLocation = #_sourceLocation) {
    #expect(isReady == expected, sourceLocation: location)
  }

  @Test("Looks begin after 5 ms, and come at least every 100 ms")
  func intervals() {
    var watch = AcceptanceSchedule(grace: .zero, at: start)
    var now = start
    var gaps: [Duration] = []
    for _ in 0..<12 {
      let due = watch.deadline!
      gaps.append(due - now)
      now = due
      #expect(watch.isLookDue(at: now))
      watch.looked(everywhere: false, at: now)
    }
    #expect(gaps.first == .milliseconds(5) && gaps.last == .milliseconds(100))
    #expect(zip(gaps, gaps.dropFirst()).allSatisfy { $0 <= $1 }, "it looks less and less often")
    #expect(now - start < .milliseconds(700))
  }

  @Test("Without a grace a sighting is readiness, told once, and nothing is due afterwards")
  func sighting() {
    var watch = AcceptanceSchedule(grace: .zero, at: start)
    let now = start + .milliseconds(5)
    watch.looked(everywhere: true, at: now)
    expect(watch.becomesReady(at: now), true)
    expect(watch.becomesReady(at: now + .seconds(1)), false)
    #expect(watch.deadline == nil)
  }

  @Test("With a grace a sighting is readiness when the worker has said nothing until its end")
  func grace() {
    var watch = AcceptanceSchedule(grace: .seconds(1), at: start)
    let now = start + .milliseconds(5)
    watch.looked(everywhere: true, at: now)
    #expect(!watch.isLookDue(at: now + .milliseconds(500)), "it is not looked at any more")
    expect(watch.becomesReady(at: now + .milliseconds(999)), false)
    #expect(watch.deadline == now + .seconds(1))
    expect(watch.becomesReady(at: now + .seconds(1)), true)
  }

  @Test("A worker that speaks within the grace speaks for itself from then on")
  func speaks() {
    var watch = AcceptanceSchedule(grace: .seconds(1), at: start)
    watch.looked(everywhere: true, at: start)
    watch.spoke()
    #expect(watch.deadline == nil)
    expect(watch.becomesReady(at: start + .seconds(9)), false)
    watch.looked(everywhere: true, at: start + .seconds(9))
    expect(watch.becomesReady(at: start + .seconds(99)), false)
  }

  @Test("After a look that had to be given up there is a long pause")
  func hung() {
    var watch = AcceptanceSchedule(grace: .zero, at: start)
    let now = start + .seconds(3)
    watch.lookHung(at: now)
    #expect(watch.isLooking)
    #expect(watch.deadline == now + .seconds(10))
    watch.looked(everywhere: true, at: now + .seconds(10))
    expect(watch.becomesReady(at: now + .seconds(10)), true)
    watch.lookHung(at: now + .seconds(20))
    #expect(watch.deadline == nil)
  }

  @Test("Where only sightings count, messages change nothing")
  func explicit() {
    var watch = AcceptanceSchedule(grace: .zero, at: start)
    watch.spoke()
    #expect(watch.deadline != nil)
    watch.looked(everywhere: true, at: start)
    expect(watch.becomesReady(at: start), true)
  }
}
