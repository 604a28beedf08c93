import Testing

@testable import RoostCore

/// A reload removes a listener: who has connected to it waits where only workers that are replaced can accept.
@Suite("Retirees that have a queue to empty")
struct RetirementTests {
  private let second = Generation(number: 2)

  private func reloading(workers: Int = 1) -> Service {
    var service = Service.serving(workers: workers)
    service.suppose(.hup, .generationPrepared(second, leavesQueues: true))
    return service
  }

  private func emptying() -> Service {
    var service = reloading()
    service.suppose(.workerReady(.id(2, 2)))
    return service
  }

  @Test("Whoever was replaced isn't told before its queue is empty, and has its whole drain timeout from then on")
  func empties() {
    var service = reloading()
    #expect(
      service.after(.workerReady(.id(2, 2))).effects == [
        .restoreBacklog, .awaitEmptyQueue(.first(0)), .announce(.ready),
      ])
    service.now = service.now + .seconds(2)
    #expect(
      service.after(.queueEmpty(.first(0)))
        == Decision(effects: [.drain(.first(0))], notices: [.drainBegan(.first(0), timeout: .seconds(60))]))
    #expect(service.after(.seconds(59)).effects == [])
    #expect(service.after(.seconds(1)).effects == [.kill(.first(0))])
  }

  @Test("Nobody is waited for longer than five seconds, or a quarter of the drain timeout")
  func longest() {
    var service = emptying()
    #expect(service.after(.milliseconds(4999)) == [])
    #expect(service.after(.milliseconds(1)).effects == [.drain(.first(0))])
    #expect(service.after(.queueEmpty(.first(0))) == [], "it is told once")
    var short = Service.serving(drainTimeout: .seconds(2))
    short.suppose(.hup, .generationPrepared(second, leavesQueues: true), .workerReady(.id(2, 2)))
    #expect(short.after(.milliseconds(500)).effects == [.drain(.first(0))])
  }

  @Test("Candidates of a reload that fails may be all who have a listener: they are waited for, too")
  func candidates() {
    var service = reloading()
    #expect(
      service.after(.cancelRequested(by: .signal(1))).effects == [.awaitEmptyQueue(.id(2, 2)), .announce(.ready)])
    #expect(service.after(.queueEmpty(.id(2, 2))).effects == [.drain(.id(2, 2))])
  }

  @Test("On a stop nobody is waited for")
  func stop() {
    var service = emptying()
    #expect(
      service.after(.term).effects == [
        .announce(.stopping), askForTime, .drain(.id(2, 2)), .closeListeners, .drain(.first(0)),
      ])
  }

  @Test("Nor on a stop in the middle of a roll: whoever serves is told at once")
  func stopDuringRoll() {
    var service = Service.serving(workers: 2, surge: 1)
    service.suppose(.hup, .generationPrepared(second, leavesQueues: true), .workerReady(.id(3, 2)))
    #expect(
      service.after(.term).effects == [
        .announce(.stopping), askForTime, .drain(.id(3, 2)), .drain(.first(1)), .drain(.id(4, slot: 1, 2)),
        .closeListeners, .drain(.first(0)),
      ])
  }

  @Test("A candidate that is given up has the time of its own settings, and whoever it doesn't replace that of its own")
  func ownTime() {
    var service = Service.serving()
    service.suppose(.hup, .generationPrepared(second, settings: Settings(settle: .zero, drainTimeout: .seconds(5))))
    #expect(
      service.after(.cancelRequested(by: .signal(1))).notices.contains(.drainBegan(.id(2, 2), timeout: .seconds(5))))
    #expect(service.after(.term).notices.contains(.drainBegan(.first(0), timeout: .seconds(60))))
  }

  @Test("One that exits meanwhile needs no signal")
  func exits() {
    var service = emptying()
    #expect(service.after(.exit(.first(0))).effects == [])
    #expect(service.after(.queueEmpty(.first(0))) == [])
    #expect(service.supervisor.retirees == [])
  }

  @Test("A reload whose listeners are the same waits for no queue")
  func sameListeners() {
    var service = Service.reloading()
    #expect(service.after(.workerReady(.id(2, 2))).effects.contains(.drain(.first(0))))
  }
}
