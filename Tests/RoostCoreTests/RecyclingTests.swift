import RoostCore
import Testing

@Suite("Recycling")
struct RecyclingTests {
  @Test("A worker that has served and ends with status 0 is replaced at once, and that is no failure")
  func replaced() {
    var service = Service.serving(workers: 2)
    _ = service.after(.seconds(3))
    #expect(
      service.after(.exit(.first(1)))
        == Decision(
          effects: [.spawn(.id(3, slot: 1, 1))],
          notices: [.workerRecycled(.first(1), after: .seconds(3), then: .another(after: .zero))]))
    #expect(service.supervisor.slots[1].failures == 0)
  }

  @Test("Whoever replaces one that has recycled itself is neither probed nor observed")
  func neitherProbedNorObserved() {
    var service = Service(probeTimeout: .seconds(5), settle: .seconds(2))
    service.suppose(.startRequested, .workerReady(.first(0)), .probeSucceeded(.first(0)), .exit(.first(0)))
    #expect(service.after(.workerReady(.id(2, 1))).effects == [.restoreBacklog])
    #expect(service.supervisor.slots[0].worker?.stage == .ready(since: service.now))
  }

  @Test("A worker that recycles itself every three seconds is replaced at once each time")
  func often() {
    var service = Service.serving()
    for number in 1...50 {
      _ = service.after(.seconds(3))
      let next = WorkerID.id(number + 1, 1)
      #expect(service.after(.exit(.id(number, 1))).effects == [.spawn(next)])
      service.suppose(.workerReady(next))
    }
  }

  @Test(
    "Who recycles itself more than five times in ten seconds is replaced after a second each time, until they are over")
  func tooOften() {
    var service = Service.serving()
    for number in 1...5 {
      let next = WorkerID.id(number + 1, 1)
      #expect(service.after(.exit(.id(number, 1))).effects == [.spawn(next)])
      service.suppose(.workerReady(next))
    }
    for number in 6...8 {
      #expect(
        service.after(.exit(.id(number, 1)))
          == Decision(
            effects: [], notices: [.workerRecycled(.id(number, 1), after: .zero, then: .another(after: .seconds(1)))]))
      #expect(service.after(.seconds(1)) == [.spawn(.id(number + 1, 1))])
      service.suppose(.workerReady(.id(number + 1, 1)))
    }
    #expect(service.supervisor.slots[0].failures == 0)
    _ = service.after(.seconds(7))
    #expect(service.after(.exit(.id(9, 1))).effects == [.spawn(.id(10, 1))])
  }

  @Test("During the start one that does so without end is a failure in the end: a start comes to an end")
  func startEnds() {
    var service = Service(workers: 2, startAttempts: 1)
    service.suppose(.startRequested)
    var id = WorkerID.first(0)
    for number in 3...7 {
      service.suppose(.workerReady(id), .exit(id))
      id = .id(number, slot: 0, 1)
    }
    service.suppose(.workerReady(id))
    #expect(service.after(.exit(id)).effects.contains(.announce(.stopping)))
  }

  @Test("A worker that wasn't ready has not served: status 0 is a failure")
  func neverReady() {
    var service = Service.serving()
    service.suppose(.exit(.first(0), 1))
    #expect(
      service.after(.exit(.id(2, 1))).notices == [
        .workerLost(
          .id(2, 1), .exited(.id(2, 1), .exited(status: 0), .starting), then: .another(after: .milliseconds(100)))
      ])
  }

  @Test("A candidate that ends with status 0 while it is observed fails the reload")
  func candidate() {
    var service = Service.reloading(settle: .seconds(1))
    service.suppose(.workerReady(.id(2, 2)))
    #expect(service.after(.exit(.id(2, 2))).effects == [.announce(.ready)])
  }

  @Test("During a reload a slot whose candidate is on its way waits for that")
  func duringReload() {
    var service = Service.reloading()
    #expect(
      service.after(.exit(.first(0)))
        == Decision(effects: [], notices: [.workerRecycled(.first(0), after: .zero, then: .awaitsCandidate)]))
  }

  @Test("A slot that has moved goes on with its new generation when its worker recycles itself, and so does the roll")
  func duringRoll() {
    var service = Service.reloading(workers: 2, surge: 1)
    service.suppose(.workerReady(.id(3, slot: 0, 2)))
    #expect(service.after(.exit(.id(3, slot: 0, 2))).effects == [.spawn(.id(5, slot: 0, 2))])
    service.suppose(.workerReady(.id(5, slot: 0, 2)))
    #expect(service.after(.workerReady(.id(4, slot: 1, 2))).effects.contains(.announce(.ready)))
  }

  @Test("During the start a worker that recycles itself costs no attempt")
  func duringStart() {
    var service = Service(workers: 2, startAttempts: 1)
    service.suppose(.startRequested, .workerReady(.first(0)))
    #expect(service.after(.exit(.first(0))).effects == [.spawn(.id(3, slot: 0, 1))])
  }
}
