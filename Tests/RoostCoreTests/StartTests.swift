import RoostCore
import Testing

@Suite("Start")
struct StartTests {
  @Test("A worker is started for each slot, and systemd is asked for time")
  func start() {
    var service = Service(workers: 2)
    #expect(service.after(.startRequested) == [askForTime, .spawn(.first(0)), .spawn(.first(1))])
  }

  @Test("The service is ready when the last worker is, not before")
  func ready() {
    var service = Service(workers: 2)
    service.suppose(.startRequested)
    service.now = service.now + .seconds(2)
    #expect(
      service.after(.workerReady(.first(1)))
        == Decision(effects: [.restoreBacklog], notices: [.workerReady(.first(1), after: .seconds(2))]))
    #expect(
      service.after(.workerReady(.first(0)))
        == Decision(
          effects: [.restoreBacklog, .announce(.ready)],
          notices: [
            .workerReady(.first(0), after: .seconds(2)),
            .startSucceeded(Generation(number: 1), workers: 2, after: .seconds(2)),
          ]))
    #expect(service.supervisor.phase == .serving)
    #expect(service.supervisor.nextDeadline == service.supervisor.probation?.until)
  }

  @Test("A worker that says twice that it is ready is ready once")
  func readyTwice() {
    var service = Service.serving()
    #expect(service.after(.workerReady(.first(0))) == [])
  }

  @Test("Without a readiness channel a worker is ready at its age, and its word doesn't count")
  func age() {
    var service = Service(readiness: .alive(after: .seconds(3)))
    service.suppose(.startRequested)
    #expect(service.after(.workerReady(.first(0))) == [])
    #expect(service.after(.milliseconds(2999)) == [])
    #expect(service.after(.milliseconds(1)).effects == [.restoreBacklog, .announce(.ready)])
  }

  @Test("A worker that exits before the start is complete is tried again, with growing waits")
  func attempts() {
    var service = Service()
    service.suppose(.startRequested)
    #expect(
      service.after(.exit(.first(0), 3))
        == Decision(
          effects: [],
          notices: [
            .workerLost(
              .first(0), .exited(.first(0), .exited(status: 3), .starting), then: .another(after: .milliseconds(100)))
          ]))
    #expect(service.after(.milliseconds(99)) == [])
    #expect(service.after(.milliseconds(1)) == [.spawn(.id(2, 1))])
    service.suppose(.exit(.id(2, 1), 3))
    #expect(service.after(.milliseconds(199)) == [])
    #expect(service.after(.milliseconds(1)) == [.spawn(.id(3, 1))])
  }

  @Test("One that was ready and fails before the start is complete waits, too: what it needs may not be there")
  func readyAndLost() {
    var service = Service(workers: 2)
    service.suppose(.startRequested, .workerReady(.first(0)))
    #expect(service.after(.exit(.first(0), 3)).effects == [])
    #expect(service.after(.milliseconds(100)) == [.spawn(.id(3, slot: 0, 1))])
  }

  @Test("After the last attempt the others are drained, the listeners closed, and the master ends with a failure")
  func lastAttempt() {
    var service = Service(workers: 2, startAttempts: 1)
    service.suppose(.startRequested, .workerReady(.first(1)))
    let failure = Failure.exited(.first(0), .exited(status: 3), .starting)
    #expect(
      service.after(.exit(.first(0), 3))
        == Decision(
          effects: [.announce(.stopping), askForTime, .drain(.first(1)), .closeListeners],
          notices: [
            .workerLost(.first(0), failure, then: .startFails), .startFailed(failure),
            .drainBegan(.first(1), timeout: .seconds(60)),
          ]))
    #expect(service.after(.exit(.first(1))).effects == [.exit(.startFailed, atOnce: false)])
  }

  @Test("A command that can't be executed uses up attempts like one that exits")
  func notStarted() {
    var service = Service(startAttempts: 2)
    service.suppose(.startRequested)
    #expect(
      service.after(.workerNotStarted(.first(0), reason: "no")).notices == [
        .workerLost(.first(0), .notStarted(.first(0), reason: "no"), then: .another(after: .milliseconds(100)))
      ])
    _ = service.after(.milliseconds(100))
    #expect(
      service.after(.workerNotStarted(.id(2, 1), reason: "no")).effects.last == .exit(.startFailed, atOnce: false))
  }

  @Test("A reload that mends a start doesn't end it while a worker that has recycled itself isn't replaced")
  func recycledMeanwhile() {
    var service = Service(workers: 2, surge: 1, startAttempts: nil)
    var fewer = service.supervisor.settings
    fewer.workers = 1
    service.suppose(
      .startRequested, .exit(.first(0), 1), .hup, .generationPrepared(Generation(number: 2), settings: fewer))
    service.suppose(.workerReady(.id(3, 2)))
    #expect(service.after(.exit(.id(3, 2))).effects == [.spawn(.id(5, 2))])
    // It has moved, and its last worker is to go: nobody would serve.
    #expect(service.after(.workerReady(.id(4, slot: 1, 2))).effects == [.restoreBacklog, .drain(.first(1))])
    #expect(service.supervisor.phase != .serving)
    #expect(
      service.after(.workerReady(.id(5, 2))).effects
        == [.restoreBacklog, .announce(.ready), .drain(.id(4, slot: 1, 2))])
  }

  @Test("After a roll that stopped half way no generation is on probation: none serves in all slots")
  func halfWay() {
    var service = Service(workers: 2, surge: 1, startAttempts: nil)
    service.suppose(.startRequested, .workerReady(.first(1)), .exit(.first(0), 1), .hup)
    service.suppose(.generationPrepared(Generation(number: 2)), .workerReady(.id(3, 2)))
    service.suppose(.exit(.id(4, slot: 1, 2), 1))
    #expect(service.supervisor.slots.map(\.worker?.id) == [.id(3, 2), .first(1)])
    #expect(service.supervisor.phase == .serving && service.supervisor.probation == nil)
    #expect(service.supervisor.nextDeadline == nil)
  }

  @Test("A worker that isn't ready in time is drained, and another is tried")
  func notReady() {
    var service = Service(readiness: .reported(timeout: .seconds(5)))
    service.suppose(.startRequested)
    #expect(
      service.after(.seconds(5))
        == Decision(
          effects: [.drain(.first(0))],
          notices: [
            .workerLost(
              .first(0), .notReady(.first(0), timeout: .seconds(5)), then: .another(after: .milliseconds(100))),
            .drainBegan(.first(0), timeout: .seconds(60)),
          ]))
    #expect(service.after(.milliseconds(100)) == [.spawn(.id(2, 1))])
  }

  @Test("A worker that asks for time gets it")
  func moreTime() {
    var service = Service(readiness: .reported(timeout: .seconds(5)))
    service.suppose(.startRequested)
    _ = service.after(.seconds(4))
    service.suppose(.workerAskedForTime(.first(0), .seconds(10)))
    #expect(service.after(.milliseconds(9999)) == [])
    #expect(service.after(.milliseconds(1)).effects == [.drain(.first(0))])
  }

  @Test("A reload that is asked for during the start runs once, after it")
  func latched() {
    var service = Service()
    service.suppose(.startRequested)
    #expect(
      service.after(.hup)
        == Decision(effects: [], notices: [.reloadRequested(by: .signal(1), from: .configuration, latched: .start)]))
    #expect(
      service.after(.hup)
        == Decision(effects: [], notices: [.reloadRequested(by: .signal(1), from: .configuration, latched: .start)]))
    #expect(
      service.after(.workerReady(.first(0))).effects == [
        .restoreBacklog, .announce(.ready), .announce(.reloading), askForTime,
        .prepare(Generation(number: 2), from: .configuration),
      ])
    service.suppose(.generationPrepared(Generation(number: 2)))
    #expect(service.after(.workerReady(.id(2, 2))).effects.contains(.announce(.ready)))
    #expect(service.supervisor.phase == .serving)
  }

  @Test("systemd is asked for more time long before it runs out, as long as the start takes")
  func asksForMoreTime() {
    var service = Service()
    service.suppose(.startRequested)
    for _ in 0..<3 { #expect(service.after(.seconds(15)) == [askForTime]) }
    service.suppose(.workerReady(.first(0)))
    #expect(service.after(.seconds(60)) == [])
  }
}
