import Testing

@testable import RoostCore

@Suite("Crash")
struct CrashTests {
  @Test("A current worker that exits is restarted at once in its slot; the other slots aren't touched")
  func restart() {
    var service = Service.serving(workers: 2)
    _ = service.after(.seconds(3))
    #expect(
      service.after(.exit(.first(1), 1))
        == Decision(
          effects: [.spawn(.id(3, slot: 1, 1))],
          notices: [
            .workerLost(
              .first(1), .exited(.first(1), .exited(status: 1), .serving(.seconds(3))), then: .another(after: .zero))
          ]))
    #expect(service.supervisor.slots[0].worker?.id == .first(0))
  }

  @Test("A worker that keeps failing is restarted after 0, 100, 200 ms and so on, up to 30 s")
  func backoff() {
    var service = Service.serving()
    var id = WorkerID.first(0)
    for delay in [0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000] {
      let next = WorkerID.id(id.number + 1, 1)
      let effects = service.after(.exit(id, 1))
      if delay == 0 {
        #expect(effects.effects == [.spawn(next)])
      } else {
        #expect(effects.effects == [])
        #expect(service.after(.milliseconds(delay - 1)) == [])
        #expect(service.after(.milliseconds(1)) == [.spawn(next)])
      }
      id = next
    }
  }

  /// Lets the current worker of the only slot get ready and die after so long. The wait for the next one.
  private func dies(_ service: inout Service, after time: Duration) -> Duration {
    let id = service.supervisor.slots[0].worker!.id
    service.suppose(.workerReady(id))
    service.now = service.now + time
    service.suppose(.exit(id, 1))
    var wait = Duration.zero
    while service.supervisor.slots[0].worker == nil {
      wait += .milliseconds(100)
      _ = service.after(.milliseconds(100))
    }
    return wait
  }

  @Test("A worker that is killed every two seconds is replaced at once, however long that goes on")
  func everyTwoSeconds() {
    var service = Service.serving()
    for _ in 1...100 { #expect(dies(&service, after: .seconds(2)) == .zero) }
  }

  @Test("One that dies more often is replaced at once five times in ten seconds, then with waits that grow, and again")
  func burst() {
    var service = Service.serving()
    let waits = (1...14).map { _ in dies(&service, after: .seconds(1)) }
    let growing = [100, 200, 400, 800].map { Duration.milliseconds($0) }
    #expect(waits == Array(repeating: .zero, count: 5) + growing + Array(repeating: .zero, count: 5))
  }

  @Test("How many are replaced at once, and over what time, can be said; none at all, too", arguments: [0, 2])
  func configuredBurst(_ burst: Int) {
    var service = Service()
    service.supervisor = Supervisor(
      settings: Settings(probation: .seconds(1_000_000), restartBurst: burst, restartWindow: .seconds(60)))
    service.suppose(.startRequested, .workerReady(.first(0)))
    let waits = (1...5).map { _ in dies(&service, after: .zero) }
    #expect(
      waits.prefix(burst + 2) == Array(repeating: .zero, count: burst) + [.milliseconds(100), .milliseconds(200)])
  }

  @Test("A worker that has served for ten seconds is forgiven what was before")
  func forgiven() {
    var service = Service.serving()
    service.suppose(.exit(.first(0), 1), .workerReady(.id(2, 1)))
    _ = service.after(.seconds(10))
    #expect(service.after(.exit(.id(2, 1), 1)).effects == [.spawn(.id(3, 1))])
  }

  @Test("That holds also where losses are counted over a longer time")
  func forgivenWithinWindow() {
    var service = Service()
    service.supervisor = Supervisor(
      settings: Settings(probation: .seconds(1_000_000), restartBurst: 0, restartWindow: .seconds(3600)))
    service.suppose(.startRequested, .workerReady(.first(0)))
    let times: [Duration] = [.zero, .zero, .zero, .milliseconds(9900), .seconds(10), .zero]
    #expect(
      times.map { dies(&service, after: $0) } == [100, 200, 400, 800, 100, 200].map { Duration.milliseconds($0) })
  }

  @Test("A worker that was long in getting ready hasn't served by that")
  func slowStartIsNoService() {
    var service = Service.serving()
    service.suppose(.exit(.first(0), 1))
    _ = service.after(.seconds(11))
    #expect(service.after(.exit(.id(2, 1), 1)).effects == [])
  }

  @Test("All workers that die at once are restarted at once, each in its slot")
  func allDie() {
    var service = Service.serving(workers: 2)
    #expect(service.after(.exit(.first(0), 1)).effects == [.spawn(.id(3, slot: 0, 1))])
    #expect(service.after(.exit(.first(1), 1)).effects == [.spawn(.id(4, slot: 1, 1))])
  }

  @Test("A replacement that can't be executed is tried again after the backoff")
  func notExecuted() {
    var service = Service.serving()
    service.suppose(.exit(.first(0), 1))
    #expect(service.after(.workerNotStarted(.id(2, 1), reason: "no")).effects == [])
    #expect(service.after(.milliseconds(100)) == [.spawn(.id(3, 1))])
  }

  @Test("A replacement that isn't ready in time is drained and replaced")
  func notReady() {
    var service = Service.serving()
    service.suppose(.exit(.first(0), 1))
    #expect(service.after(.seconds(60)).effects == [.drain(.id(2, 1))])
    #expect(service.after(.milliseconds(100)) == [.spawn(.id(3, 1))])
  }

  @Test("What a worker leaves behind in its group is drained like a retiree, and killed after the drain timeout")
  func remains() {
    var service = Service.serving()
    #expect(
      service.after(.workerExited(.first(0), .exited(status: 1), remains: true)).effects == [
        .drain(.first(0)), .spawn(.id(2, 1)),
      ])
    #expect(service.after(.seconds(60)).effects.contains(.kill(.first(0))))
    #expect(service.supervisor.retirees.map(\.id) == [.id(2, 1)])
  }

  @Test("What a retiree leaves behind has the drain timeout for itself")
  func retireeRemains() {
    var service = Service.reloading(drainTimeout: .seconds(5))
    service.suppose(.workerReady(.id(2, 2)))
    _ = service.after(.seconds(3))
    #expect(
      service.after(.workerExited(.first(0), .exited(status: 0), remains: true))
        == Decision(
          effects: [.drain(.first(0))],
          notices: [
            .drainEnded(.first(0), .exited(status: 0), after: .seconds(3), killed: false),
            .remainsStopped(.first(0), timeout: .seconds(5)),
          ]))
    #expect(service.after(.workerRemainsGone(.first(0))) == [])
    #expect(service.supervisor.retirees == [])
    #expect(service.supervisor.nextDeadline == service.supervisor.probation?.until)
  }
}
