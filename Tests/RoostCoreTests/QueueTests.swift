import Testing

@testable import RoostCore

@Suite("Slots with a queue of their own")
struct QueueTests {
  /// A service whose first generation is complete.
  private static func serving(workers: Int) -> Service {
    var service = Service()
    service.supervisor = Supervisor(
      settings: Settings(workers: workers, probation: .seconds(1_000_000), settle: .zero, queuePerSlot: true))
    service.suppose(.startRequested)
    for slot in 0..<workers { service.suppose(.workerReady(.first(slot))) }
    return service
  }

  private static func drains(_ slots: Int..., after notices: [Notice] = []) -> Decision {
    Decision(
      effects: slots.map { .drain(.first($0)) },
      notices: notices + slots.map { .drainBegan(.first($0), timeout: .seconds(60)) })
  }

  @Test("A slot that isn't wanted any more goes when its queue is empty")
  func fewer() {
    var service = Self.serving(workers: 3)
    #expect(
      service.after(.workersRequested(1)) == Decision(effects: [], notices: [.scaled(from: 3, to: 1, latched: nil)]))
    #expect(service.after(.queuesEmpty(from: 1)) == Self.drains(2, 1))
    #expect(service.supervisor.slots.count == 1)
  }

  @Test("The last slots go first, each when those behind it do")
  func lastFirst() {
    var service = Self.serving(workers: 3)
    service.suppose(.workersRequested(1))
    #expect(service.after(.queuesEmpty(from: 2)) == Self.drains(2))
    #expect(service.after(.queuesEmpty(from: 1)) == Self.drains(1))
  }

  @Test("A slot whose queue isn't empty goes when the drain timeout is over, and that is told")
  func timeout() {
    var service = Self.serving(workers: 3)
    service.suppose(.workersRequested(2))
    #expect(service.after(.seconds(30)) == [])
    service.suppose(.workersRequested(1))
    #expect(
      service.after(.seconds(30))
        == Self.drains(2, after: [.queueNotEmpty(slot: 2, timeout: .seconds(60))]))
    #expect(
      service.after(.seconds(30))
        == Self.drains(1, after: [.queueNotEmpty(slot: 1, timeout: .seconds(60))]))
    #expect(service.supervisor.slots.count == 1)
  }

  @Test("A slot that is wanted again stays, whatever is said of its queue afterwards")
  func wantedAgain() {
    var service = Self.serving(workers: 3)
    service.suppose(.workersRequested(1), .workersRequested(2))
    #expect(service.after(.queuesEmpty(from: 1)) == Self.drains(2))
    service.suppose(.exit(.first(2)))
    #expect(service.after(.queuesEmpty(from: 1)) == [])
    #expect(service.after(.seconds(60)) == [])
  }

  @Test("A worker that dies before its queue is empty is replaced, and the replacement drains")
  func death() {
    var service = Self.serving(workers: 2)
    service.suppose(.workersRequested(1))
    #expect(service.after(.exit(.first(1), 1)).effects == [.spawn(.id(3, slot: 1, 1))])
    #expect(service.after(.workerReady(.id(3, slot: 1, 1))).effects == [.restoreBacklog])
    #expect(service.after(.queuesEmpty(from: 1)).effects == [.drain(.id(3, slot: 1, 1))])
  }

  @Test("A slot without a worker goes without one")
  func vacant() {
    var service = Self.serving(workers: 2)
    service.suppose(.exit(.first(1), 1), .exit(.id(3, slot: 1, 1), 1), .workersRequested(1))
    #expect(service.after(.queuesEmpty(from: 1)) == [])
    #expect(service.supervisor.slots.count == 1)
    #expect(service.after(.seconds(60)) == [])
  }

  @Test("A reload takes a slot along that isn't wanted any more, and its queue is emptied afterwards")
  func reload() {
    var service = Self.serving(workers: 2)
    service.suppose(.workersRequested(1), .hup)
    #expect(service.after(.queuesEmpty(from: 1)) == [], "what was seen before the reload says nothing about it")
    let generation = Generation(number: 2)
    #expect(
      service.after(.generationPrepared(generation)).effects == [
        .spawn(.id(3, slot: 0, 2)), .spawn(.id(4, slot: 1, 2)),
      ])
    service.suppose(.workerReady(.id(3, slot: 0, 2)))
    #expect(
      service.after(.workerReady(.id(4, slot: 1, 2))).effects == [
        .restoreBacklog, .drain(.first(0)), .drain(.first(1)), .announce(.ready),
      ])
    #expect(service.after(.queuesEmpty(from: 1)).effects == [.drain(.id(4, slot: 1, 2))])
  }

  @Test("A reload that fails takes away the slots that it has added, and no other")
  func failedReload() {
    var service = Self.serving(workers: 3)
    let generation = Generation(number: 2)
    // Slot 1 isn't wanted any more, and loses its worker while a reload runs that wants more.
    service.suppose(.workersRequested(1), .queuesEmpty(from: 2), .hup, .exit(.first(1), 1))
    service.suppose(.generationPrepared(generation, settings: Settings(workers: 4, settle: .zero, queuePerSlot: true)))
    #expect(service.supervisor.slots.count == 4)
    #expect(
      service.after(.exit(.id(5, slot: 0, 2), 1)).effects == [
        .drain(.id(6, slot: 1, 2)), .drain(.id(7, slot: 2, 2)), .drain(.id(8, slot: 3, 2)), .announce(.ready),
      ])
    #expect(service.supervisor.slots.count == 2, "somebody may wait for slot 1, in which another was started")
    #expect(service.after(.queuesEmpty(from: 1)).effects == [.drain(.id(4, slot: 1, 1))])
  }

  @Test("A stop waits for no queue")
  func stop() {
    var service = Self.serving(workers: 2)
    service.suppose(.workersRequested(1))
    #expect(
      service.after(.term).effects == [
        .announce(.stopping), askForTime, .drain(.first(0)), .drain(.first(1)), .closeListeners,
      ])
    #expect(service.after(.queuesEmpty(from: 1)) == [])
  }
}
