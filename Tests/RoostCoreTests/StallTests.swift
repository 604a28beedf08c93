import Testing

@testable import RoostCore

/// A machine stands still for 20 s, whatever the service is doing.
@Suite("Stall")
struct StallTests {
  /// Something with a deadline.
  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var settings = Settings(workers: 1, settle: .zero)
    let events: [Event]
  }

  private static let serving: [Event] = [.startRequested, .workerReady(.first(0))]
  private static let starting = serving + [.hup, .generationPrepared(Generation(number: 2))]
  private static let reloaded = starting + [.workerReady(.id(2, 2))]

  static let cases = [
    Case(testDescription: "a start", events: [.startRequested]),
    Case(
      testDescription: "a worker that is ready by its age",
      settings: Settings(workers: 1, readiness: .alive(after: .seconds(10)), settle: .zero), events: [.startRequested]),
    Case(
      testDescription: "a probe", settings: Settings(workers: 1, probeTimeout: .seconds(5), settle: .zero),
      events: serving),
    Case(testDescription: "a configuration that is read", events: serving + [.hup]),
    Case(
      testDescription: "a hook", settings: Settings(workers: 1, settle: .zero, beforeReload: true),
      events: starting),
    Case(testDescription: "a candidate", events: starting),
    Case(
      testDescription: "candidates that are observed", settings: Settings(workers: 1, settle: .seconds(3)),
      events: reloaded),
    Case(testDescription: "a drain", events: reloaded),
    Case(
      testDescription: "what a worker has left behind",
      events: reloaded + [.workerExited(.first(0), .exited(status: 0), remains: true)]),
    Case(
      testDescription: "a slot's queue", settings: Settings(workers: 2, settle: .zero, queuePerSlot: true),
      events: serving + [.workerReady(.first(1)), .workersRequested(1)]),
  ]

  @Test("All that a deadline brings about comes as much later", arguments: cases)
  func later(example: Case) {
    var service = Service()
    service.supervisor = Supervisor(settings: example.settings)
    for event in example.events { service.suppose(event) }
    var clock = ServiceClock()
    let begin = service.now
    _ = clock.nextLook(before: service.supervisor.nextDeadline, at: begin)
    let missed = clock.look(at: begin + .seconds(20))
    #expect(missed == .seconds(20))
    var stalled = service
    stalled.now = clock.reading(at: begin + .seconds(20))
    #expect(stalled.after(.stalled(.seconds(20))).notices == [.stalled(.seconds(20))])
    let course = deadlines(service)
    #expect(!course.isEmpty)
    #expect(deadlines(stalled).map(\.effects) == course.map(\.effects))
    #expect(deadlines(stalled).map { clock.time(of: $0.time) } == course.map { $0.time + .seconds(20) })
  }

  /// What happens when, as long as nobody says anything. Without what systemd is told.
  private func deadlines(_ service: Service) -> [(time: Instant, effects: [Effect])] {
    var service = service
    var course: [(time: Instant, effects: [Effect])] = []
    while let deadline = service.supervisor.nextDeadline, course.count < 5 {
      service.now = max(service.now, deadline)
      let effects = service.after(.timePassed).effects.filter { $0 != askForTime }
      if !effects.isEmpty { course.append((service.now, effects)) }
    }
    return course
  }

  @Test("systemd's clock may not have stood still: it is asked for time at once, where it waits for something")
  func asksForTime() {
    var service = Service()
    service.suppose(.startRequested)
    #expect(service.after(.stalled(.seconds(20))).effects == [askForTime])
    service.suppose(.workerReady(.first(0)))
    #expect(service.after(.stalled(.seconds(20))).effects == [])
  }
}
