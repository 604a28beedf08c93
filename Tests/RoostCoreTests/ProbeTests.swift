import RoostCore
import Testing

@Suite("Probe")
struct ProbeTests {
  let second = Generation(number: 2)

  private func starting(_ workers: Int = 1) -> Service {
    var service = Service(workers: workers, probeTimeout: .seconds(5), startAttempts: 2)
    service.suppose(.startRequested)
    return service
  }

  private func serving() -> Service {
    var service = starting()
    service.suppose(.workerReady(.first(0)), .probeSucceeded(.first(0)))
    return service
  }

  private func reloading() -> Service {
    var service = serving()
    service.suppose(.hup, .generationPrepared(second))
    return service
  }

  @Test("A ready candidate is probed, and takes over when it has passed, not before")
  func passes() {
    var service = reloading()
    #expect(service.after(.workerReady(.id(2, 2))) == [.restoreBacklog, .probe(.id(2, 2))])
    #expect(
      service.after(.probeSucceeded(.id(2, 2))).effects == [.drain(.first(0)), .announce(.ready)])
    #expect(service.supervisor.serving == second)
  }

  @Test("The first generation is probed too: the start is complete when it has passed")
  func start() {
    var service = starting()
    #expect(service.after(.workerReady(.first(0))).effects == [.restoreBacklog, .probe(.first(0))])
    #expect(service.after(.probeSucceeded(.first(0))).effects == [.announce(.ready)])
    #expect(service.supervisor.phase == .serving)
  }

  @Test("A candidate that doesn't pass in time fails the reload, and drains: it may be serving")
  func fails() {
    var service = reloading()
    service.suppose(.workerReady(.id(2, 2)))
    #expect(service.after(.milliseconds(4999)) == [])
    #expect(
      service.after(.milliseconds(1))
        == Decision(
          effects: [.drain(.id(2, 2)), .announce(.ready)],
          notices: [
            .reloadFailed(
              second, .probeFailed(.id(2, 2), timeout: .seconds(5)), after: .seconds(5), serving: Generation(number: 1),
              moved: 0, slots: 1), .drainBegan(.id(2, 2), timeout: .seconds(60)),
          ]))
    #expect(service.supervisor.slots[0].worker?.id == .first(0))
  }

  @Test("A first worker that doesn't pass drains and is tried again, as often as one that doesn't get ready")
  func startFails() {
    var service = starting()
    service.suppose(.workerReady(.first(0)))
    #expect(service.after(.seconds(5)).effects == [.drain(.first(0))])
    #expect(service.after(.seconds(1)).effects == [.spawn(.id(2, 1))])
    #expect(service.after(.workerReady(.id(2, 1))).effects.contains(.probe(.id(2, 1))))
    #expect(
      service.after(.seconds(5)).notices.contains(
        .startFailed(.probeFailed(.id(2, 1), timeout: .seconds(5)))))
  }

  @Test("What replaces a lost worker isn't probed: it runs what has passed")
  func replacement() {
    var service = serving()
    service.suppose(.exit(.first(0), 1))
    #expect(
      service.after(.workerReady(.id(2, 1)))
        == Decision(effects: [.restoreBacklog], notices: [.workerReady(.id(2, 1), after: .zero)]))
  }

  @Test("Nor is it observed, whether its predecessor has failed or recycled itself", arguments: [Int32(0), 1])
  func replacementIsNotObserved(status: Int32) {
    var service = Service.serving(settle: .seconds(2))
    service.suppose(.exit(.first(0), status), .workerReady(.id(2, 1)))
    #expect(service.supervisor.slots[0].worker?.stage == .ready(since: service.now))
  }

  @Test("A candidate that exits while it is probed fails the reload at once")
  func exits() {
    var service = reloading()
    service.suppose(.workerReady(.id(2, 2)))
    #expect(service.after(.exit(.id(2, 2), 3)).effects == [.announce(.ready)])
    #expect(!service.supervisor.isProbing(.id(2, 2)))
  }

  @Test("A late answer, or one that nobody has asked for, changes nothing")
  func late() {
    var service = reloading()
    #expect(service.after(.probeSucceeded(.id(2, 2))) == [], "it isn't ready yet")
    service.suppose(.workerReady(.id(2, 2)))
    _ = service.after(.seconds(5))
    #expect(service.after(.probeSucceeded(.id(2, 2))) == [])
    #expect(service.supervisor.serving == Generation(number: 1))
  }

  @Test("A worker that proves itself by age is probed then")
  func age() {
    var service = Service(readiness: .alive(after: .seconds(1)), probeTimeout: .seconds(5))
    service.suppose(.startRequested)
    #expect(service.after(.seconds(1)).effects == [.restoreBacklog, .probe(.first(0))])
    #expect(service.after(.probeSucceeded(.first(0))).effects == [.announce(.ready)])
  }

  @Test("The settle time begins when the last candidate has passed")
  func settles() {
    var service = Service(workers: 2, probeTimeout: .seconds(5), settle: .seconds(2))
    service.suppose(.startRequested)
    for slot in 0...1 { service.suppose(.workerReady(.first(slot)), .probeSucceeded(.first(slot))) }
    service.suppose(.hup, .generationPrepared(second))
    for slot in 0...1 { service.suppose(.workerReady(.id(3 + slot, slot: slot, 2))) }
    service.suppose(.probeSucceeded(.id(3, slot: 0, 2)))
    #expect(service.after(.seconds(2)) == [])
    service.suppose(.probeSucceeded(.id(4, slot: 1, 2)))
    #expect(service.after(.milliseconds(1999)) == [])
    #expect(service.after(.milliseconds(1)).effects == [.drain(.first(0)), .drain(.first(1)), .announce(.ready)])
  }
}
