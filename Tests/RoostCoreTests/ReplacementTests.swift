import RoostCore
import Testing

@Suite("One worker in the place of another")
struct ReplacementTests {
  private static let by = Requester.client(pid: 7, uid: 0)
  private static let asked = Event.replacementRequested(slot: 1, by: by)

  /// Two workers serve, and the second is to be replaced.
  private static func replacing(settle: Duration = .zero) -> Service {
    var service = Service.serving(workers: 2, settle: settle)
    service.suppose(asked)
    return service
  }

  @Test("The successor is of the same generation, and whoever has the slot serves until it takes over")
  func replaces() {
    var service = Service.serving(workers: 2)
    #expect(
      service.after(Self.asked)
        == Decision(
          effects: [.spawn(.id(3, slot: 1, 1))], notices: [.replacementRequested(slot: 1, by: Self.by)]))
    #expect(service.supervisor.phase == .serving)
    #expect(
      service.after(.workerReady(.id(3, slot: 1, 1)))
        == Decision(
          effects: [.restoreBacklog, .drain(.first(1))],
          notices: [
            .workerReady(.id(3, slot: 1, 1), after: .zero), .replaced(by: .id(3, slot: 1, 1)),
            .drainBegan(.first(1), timeout: .seconds(60)),
          ]))
    #expect(service.supervisor.slots.map(\.worker?.id) == [.first(0), .id(3, slot: 1, 1)])
  }

  @Test("It passes the probe and is observed before, as the workers of a new generation are")
  func observed() {
    var service = Service(probeTimeout: .seconds(5), settle: .seconds(2))
    service.suppose(.startRequested, .workerReady(.first(0)), .probeSucceeded(.first(0)))
    service.suppose(.replacementRequested(slot: 0, by: Self.by))
    #expect(service.after(.workerReady(.id(2, 1))).effects == [.restoreBacklog, .probe(.id(2, 1))])
    #expect(service.after(.probeSucceeded(.id(2, 1))).effects == [])
    #expect(service.after(.milliseconds(1999)).effects == [])
    #expect(service.after(.milliseconds(1)).effects == [.drain(.first(0))])
  }

  @Test("If whoever has the slot is lost meanwhile, a reload that fails starts nobody else beside it")
  func awaited() {
    var service = Self.replacing()
    service.suppose(.exit(.first(1), 1), .hup)
    let failed = service.after(.generationNotPrepared(Generation(number: 2), reason: "no"))
    #expect(failed.effects == [.announce(.ready)])
    #expect(service.after(.workerReady(.id(3, slot: 1, 1))).effects == [.restoreBacklog])
    #expect(service.supervisor.slots[1].worker?.id == .id(3, slot: 1, 1))
  }

  @Test("One that fails leaves the slot to whoever has it")
  func fails() {
    var service = Self.replacing()
    let failure = Failure.exited(.id(3, slot: 1, 1), .exited(status: 1), .starting)
    #expect(
      service.after(.exit(.id(3, slot: 1, 1), 1))
        == Decision(effects: [], notices: [.replacementFailed(.id(3, slot: 1, 1), failure)]))
    #expect(service.supervisor.slots[1].worker?.id == .first(1))
    #expect(service.supervisor.slots[1].candidate == nil)
  }

  @Test("One that isn't ready in time drains")
  func notReady() {
    var service = Self.replacing()
    #expect(service.after(.seconds(60)).effects == [.drain(.id(3, slot: 1, 1))])
    #expect(service.supervisor.slots[1].worker?.id == .first(1))
  }

  @Test("When whoever has the slot dies, the successor is on its way; when that fails too, another is started")
  func predecessorDies() {
    var service = Self.replacing()
    let lost = Failure.exited(.first(1), .exited(status: 1), .serving(.zero))
    #expect(
      service.after(.exit(.first(1), 1))
        == Decision(effects: [], notices: [.workerLost(.first(1), lost, then: .awaitsCandidate)]))
    #expect(service.after(.exit(.id(3, slot: 1, 1), 1)).effects == [.spawn(.id(4, slot: 1, 1))])
    #expect(service.supervisor.slots[1].worker?.purpose == .lost)
  }

  @Test("A reload that comes brings another in its place")
  func overtaken() {
    var service = Self.replacing()
    let second = Generation(number: 2)
    service.suppose(.hup)
    #expect(
      service.after(.generationPrepared(second))
        == Decision(
          effects: [.spawn(.id(4, slot: 0, 2)), .drain(.id(3, slot: 1, 1)), .spawn(.id(5, slot: 1, 2))],
          notices: [
            .replacementFailed(.id(3, slot: 1, 1), .overtaken(by: second)),
            .drainBegan(.id(3, slot: 1, 1), timeout: .seconds(60)),
          ]))
  }

  @Test("A roll that fails before it comes to the slot leaves the successor on its way")
  func rollFails() {
    var service = Service.serving(workers: 2, surge: 1)
    service.suppose(Self.asked, .hup, .generationPrepared(Generation(number: 2)))
    #expect(service.after(.exit(.id(4, slot: 0, 2), 1)).effects == [.announce(.ready)])
    #expect(service.supervisor.slots[1].candidate?.id == .id(3, slot: 1, 1))
    #expect(service.after(.workerReady(.id(3, slot: 1, 1))).effects == [.restoreBacklog, .drain(.first(1))])
  }

  @Test("A roll that fails half way does so too, although the successor's generation serves in no other slot")
  func rollFailsHalfWay() {
    var service = Service.serving(workers: 3, surge: 1, settle: .seconds(1))
    service.suppose(.replacementRequested(slot: 2, by: Self.by), .hup, .generationPrepared(Generation(number: 2)))
    service.suppose(.workerReady(.id(5, slot: 0, 2)))
    _ = service.after(.seconds(1))
    service.suppose(.exit(.id(6, slot: 1, 2), 1))
    #expect(service.supervisor.phase == .serving && service.supervisor.serving == Generation(number: 2))
    #expect(service.after(.workerReady(.id(4, slot: 2, 1))).effects == [.restoreBacklog])
    #expect(service.after(.seconds(1)).effects == [.drain(.first(2))])
    #expect(service.supervisor.slots[2].worker?.id == .id(4, slot: 2, 1))
  }

  @Test("A slot that goes takes the successor along")
  func scaledDown() {
    var service = Self.replacing()
    #expect(service.after(.scaleRequested(by: -1)).effects == [.drain(.first(1)), .drain(.id(3, slot: 1, 1))])
  }

  @Test("It is refused where nobody serves, where somebody is on the way, where a slot isn't, and during a reload")
  func refused() {
    let refused = Decision(effects: [], notices: [.replacementRefused(slot: 1, by: Self.by)])
    var onTheWay = Self.replacing()
    #expect(onTheWay.after(Self.asked) == refused)
    var one = Service.serving()
    #expect(one.after(Self.asked) == refused)
    var vacant = Service.serving(workers: 2)
    vacant.suppose(.exit(.first(1), 1))
    #expect(vacant.after(Self.asked) == refused)
    var reloading = Service.reloading(workers: 2)
    #expect(reloading.after(Self.asked) == refused)
  }
}
