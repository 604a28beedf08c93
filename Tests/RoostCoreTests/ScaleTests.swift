import Testing

@testable import RoostCore

@Suite("Scaling")
struct ScaleTests {
  @Test("One worker more is started in a slot of its own")
  func more() {
    var service = Service.serving()
    #expect(
      service.after(.scaleRequested(by: 1))
        == Decision(effects: [.spawn(.id(2, slot: 1, 1))], notices: [.scaled(from: 1, to: 2, latched: nil)]))
  }

  @Test("One more is neither probed nor observed: it runs what serves")
  func neitherProbedNorObserved() {
    var service = Service(probeTimeout: .seconds(5), settle: .seconds(2))
    service.suppose(.startRequested, .workerReady(.first(0)), .probeSucceeded(.first(0)), .scaleRequested(by: 1))
    #expect(service.after(.workerReady(.id(2, slot: 1, 1))).effects == [.restoreBacklog])
    #expect(service.supervisor.slots[1].worker?.stage == .ready(since: service.now))
  }

  @Test("With one fewer, the last slot's worker drains")
  func fewer() {
    var service = Service.serving(workers: 2)
    #expect(
      service.after(.scaleRequested(by: -1))
        == Decision(
          effects: [.drain(.first(1))],
          notices: [.scaled(from: 2, to: 1, latched: nil), .drainBegan(.first(1), timeout: .seconds(60))]))
    #expect(service.after(.exit(.first(1))).effects == [])
  }

  @Test("There is always one worker")
  func floor() {
    var service = Service.serving()
    #expect(service.after(.scaleRequested(by: -1)) == Decision(effects: [], notices: [.scaleRefused(at: 1)]))
    #expect(service.supervisor.slots.count == 1)
  }

  @Test("No number is too large to ask for", arguments: [Int.max, .min])
  func extremes(_ change: Int) {
    var service = Service.serving(workers: 2)
    #expect(!service.after(.scaleRequested(by: change)).effects.isEmpty)
    #expect(service.supervisor.desiredWorkers == (change < 0 ? 1 : Settings.maximumWorkers))
  }

  @Test("There are never more workers than the most")
  func ceiling() {
    var service = Service.serving()
    #expect(service.after(.scaleRequested(by: 5000)).effects.count == Settings.maximumWorkers - 1)
    #expect(
      service.after(.scaleRequested(by: 1))
        == Decision(effects: [], notices: [.scaleRefused(at: Settings.maximumWorkers)]))
  }

  @Test("Scaling during a reload takes effect when it has ended, with the new generation")
  func duringReload() {
    var service = Service.reloading()
    #expect(
      service.after(.scaleRequested(by: 1))
        == Decision(effects: [], notices: [.scaled(from: 1, to: 2, latched: .reload)]))
    #expect(
      service.after(.workerReady(.id(2, 2))).effects == [
        .restoreBacklog, .drain(.first(0)), .announce(.ready), .spawn(.id(3, slot: 1, 2)),
      ])
  }

  @Test("If the reload brings its own number and fails, what was asked for meanwhile is added to the former one")
  func duringFailingReload() {
    var service = Service.serving(workers: 2)
    let settings = Settings(workers: 5, settle: .zero)
    service.suppose(.hup, .generationPrepared(Generation(number: 2), settings: settings), .scaleRequested(by: 1))
    #expect(service.supervisor.desiredWorkers == 6)
    service.suppose(.exit(.id(3, slot: 0, 2), 1))
    #expect(service.supervisor.slots.count == 3 && service.supervisor.desiredWorkers == 3)
  }

  @Test("A number that a reload has brought counts once: what was asked for since then outlives the next reload")
  func afterReloadWithNumber() {
    var service = Service.serving()
    let (settings, third) = (Settings(workers: 2, settle: .zero), Generation(number: 3))
    service.suppose(.hup, .generationPrepared(Generation(number: 2), settings: settings))
    service.suppose(.workerReady(.id(2, 2)), .workerReady(.id(3, slot: 1, 2)), .scaleRequested(by: 1))
    #expect(service.supervisor.phase == .serving && service.supervisor.desiredWorkers == 3)
    service.suppose(.hup, .generationPrepared(third, settings: settings))
    #expect(service.supervisor.desiredWorkers == 3)
  }

  @Test("Scaling during the start takes effect when it is complete")
  func duringStart() {
    var service = Service(workers: 2)
    service.suppose(.startRequested)
    #expect(
      service.after(.scaleRequested(by: -1))
        == Decision(effects: [], notices: [.scaled(from: 2, to: 1, latched: .start)]))
    service.suppose(.workerReady(.first(0)))
    #expect(service.after(.workerReady(.first(1))).effects == [.restoreBacklog, .announce(.ready), .drain(.first(1))])
  }

  @Test("A slot that goes while its worker waits for a restart takes the restart with it")
  func backingOffSlot() {
    var service = Service.serving(workers: 2)
    service.suppose(.exit(.first(1), 1), .exit(.id(3, slot: 1, 1), 1))
    #expect(service.after(.scaleRequested(by: -1)).effects == [])
    #expect(service.after(.seconds(60)) == [])
  }

  @Test("Scaling while stopping does nothing")
  func whileStopping() {
    var service = Service.serving()
    service.suppose(.term)
    #expect(service.after(.scaleRequested(by: 1)) == [])
  }
}
