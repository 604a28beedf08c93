import RoostCore
import Testing

@Suite("Rolling reload")
struct RollTests {
  let second = Generation(number: 2)

  @Test("With a surge of one, a slot moves before the next slot's candidate is started")
  func roll() {
    var service = Service.reloading(workers: 2, surge: 1)
    #expect(service.supervisor.slots.map(\.candidate?.id) == [.id(3, slot: 0, 2), nil])
    #expect(
      service.after(.workerReady(.id(3, slot: 0, 2))).effects == [
        .restoreBacklog, .drain(.first(0)), .spawn(.id(4, slot: 1, 2)),
      ])
    #expect(
      service.after(.workerReady(.id(4, slot: 1, 2))).effects == [
        .restoreBacklog, .drain(.first(1)), .announce(.ready),
      ])
  }

  @Test("The last batch may be smaller than the surge")
  func lastBatch() {
    var service = Service.reloading(workers: 3, surge: 2)
    service.suppose(.workerReady(.id(4, slot: 0, 2)))
    #expect(
      service.after(.workerReady(.id(5, slot: 1, 2))).effects == [
        .restoreBacklog, .drain(.first(0)), .drain(.first(1)), .spawn(.id(6, slot: 2, 2)),
      ])
  }

  @Test("Each batch is observed for the settle time")
  func settle() {
    var service = Service.reloading(workers: 2, surge: 1, settle: .seconds(1))
    service.suppose(.workerReady(.id(3, slot: 0, 2)))
    #expect(service.after(.seconds(1)).effects == [.drain(.first(0)), .spawn(.id(4, slot: 1, 2))])
    service.suppose(.workerReady(.id(4, slot: 1, 2)))
    #expect(service.after(.seconds(1)).effects == [.drain(.first(1)), .announce(.ready)])
  }

  @Test("A roll that fails half-way leaves moved slots moved, counts them, and keeps the others")
  func failsHalfWay() {
    var service = Service.reloading(workers: 2, surge: 1)
    service.suppose(.workerReady(.id(3, slot: 0, 2)))
    #expect(
      service.after(.exit(.id(4, slot: 1, 2), 3))
        == Decision(
          effects: [.announce(.ready)],
          notices: [
            .reloadFailed(
              second, .exited(.id(4, slot: 1, 2), .exited(status: 3), .starting), after: .zero, serving: second,
              moved: 1, slots: 2)
          ]))
    #expect(service.supervisor.slots.map(\.worker?.id) == [.id(3, slot: 0, 2), .first(1)])
  }

  @Test("After a roll that failed half-way a lost worker's replacement is of the newest generation that serves")
  func replacementAfterHalf() {
    var service = Service.reloading(workers: 2, surge: 1)
    service.suppose(.workerReady(.id(3, slot: 0, 2)), .exit(.id(4, slot: 1, 2), 3))
    #expect(service.after(.exit(.first(1), 1)).effects == [.spawn(.id(5, slot: 1, 2))])
  }

  @Test("A moved slot whose worker dies during the roll stops the roll, and is restarted in the new generation")
  func movedDies() {
    var service = Service.reloading(workers: 2, surge: 1)
    service.suppose(.workerReady(.id(3, slot: 0, 2)))
    let failure = Failure.exited(.id(3, slot: 0, 2), .exited(status: 1), .serving(.zero))
    #expect(
      service.after(.exit(.id(3, slot: 0, 2), 1))
        == Decision(
          effects: [.drain(.id(4, slot: 1, 2)), .announce(.ready), .spawn(.id(5, slot: 0, 2))],
          notices: [
            .workerLost(.id(3, slot: 0, 2), failure, then: .another(after: .zero)),
            .reloadFailed(second, failure, after: .zero, serving: second, moved: 1, slots: 2),
            .drainBegan(.id(4, slot: 1, 2), timeout: .seconds(60)),
          ]))
    #expect(service.supervisor.slots.map(\.worker?.id) == [.id(5, slot: 0, 2), .first(1)])
  }

  @Test("A moved slot that a failing roll takes back isn't restarted")
  func movedAndTakenBack() {
    var service = Service.serving(surge: 1)
    var settings = service.supervisor.settings
    settings.workers = 3
    service.suppose(.hup, .generationPrepared(second, settings: settings))
    service.suppose(.workerReady(.id(2, slot: 0, 2)), .workerReady(.id(3, slot: 1, 2)))
    #expect(
      service.after(.exit(.id(3, slot: 1, 2), 1)).effects == [.drain(.id(4, slot: 2, 2)), .announce(.ready)])
    #expect(service.supervisor.slots.map(\.worker?.id) == [.id(2, slot: 0, 2)])
  }

  @Test("A slot that hasn't moved, and whose worker dies during the roll, is restarted until its candidate is started")
  func unmovedDies() {
    var service = Service.reloading(workers: 2, surge: 1)
    #expect(service.after(.exit(.first(1), 1)).effects == [.spawn(.id(4, slot: 1, 1))])
    #expect(service.after(.exit(.id(4, slot: 1, 1), 1)).effects == [])
    #expect(
      service.after(.workerReady(.id(3, slot: 0, 2))).effects == [
        .restoreBacklog, .drain(.first(0)), .spawn(.id(5, slot: 1, 2)),
      ])
    #expect(service.after(.seconds(1)) == [])
  }

  @Test("The reload after a roll that failed half-way starts from there, with all slots")
  func nextReload() {
    var service = Service.reloading(workers: 2, surge: 1)
    service.suppose(.workerReady(.id(3, slot: 0, 2)), .exit(.id(4, slot: 1, 2), 3), .hup)
    #expect(service.after(.generationPrepared(Generation(number: 3))).effects == [.spawn(.id(5, slot: 0, 3))])
    #expect(
      service.after(.workerReady(.id(5, slot: 0, 3))).effects == [
        .restoreBacklog, .drain(.id(3, slot: 0, 2)), .spawn(.id(6, slot: 1, 3)),
      ])
    #expect(
      service.after(.workerReady(.id(6, slot: 1, 3))).effects == [
        .restoreBacklog, .drain(.first(1)), .announce(.ready),
      ])
  }
}
