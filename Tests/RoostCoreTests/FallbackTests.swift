import Testing

@testable import RoostCore

@Suite("Falling back to what served last")
struct FallbackTests {
  private static let good = Generation(number: 1)
  private static let second = Generation(number: 2)
  private static let third = Generation(number: 3)

  /// The first generation of a master is the second of the service, and its only worker has failed twice.
  private static func failing(startAttempts: Int? = nil, lastGood: Generation? = good) -> Service {
    var service = Service(startAttempts: startAttempts, lastGood: lastGood)
    service.suppose(.startRequested)
    for _ in 1...2 {
      service.suppose(.exit(service.supervisor.slots[0].worker!.id, 1))
      _ = service.after(.seconds(1))
    }
    return service
  }

  @Test("A first generation that keeps failing is replaced by the last good release, which is prepared as recorded")
  func fallsBack() {
    var service = Self.failing()
    let lost = service.supervisor.slots[0].worker!.id
    let effects = service.after(.exit(lost, 1))
    #expect(effects.effects == [.prepare(Self.third, from: .record(Self.good))])
    #expect(
      effects.notices.last
        == .fellBack(Self.third, to: Self.good, from: Self.second, .exited(lost, .exited(status: 1), .starting)))
    #expect(service.after(.generationPrepared(Self.third)).effects == [.spawn(.id(4, 3))])
    #expect(service.supervisor.divergence == .fellBack && service.supervisor.servingOrigin == .record(Self.good))
    #expect(service.after(.workerReady(.id(4, 3))).effects == [.restoreBacklog, .announce(.ready)])
  }

  @Test("One worker that hangs for all of its ready timeout is enough where something is known to serve")
  func hanging() {
    var service = Service(startAttempts: nil, lastGood: Self.good)
    service.suppose(.startRequested)
    #expect(service.after(.seconds(60)).effects.contains(.prepare(Self.third, from: .record(Self.good))))
  }

  @Test("Workers that got ready all the same need no other in their place")
  func readyAfterAll() {
    var service = Service(workers: 2, startAttempts: nil, lastGood: Self.good)
    service.suppose(.startRequested, .workerReady(.id(1, slot: 0, 2)))
    for _ in 1...3 {
      service.suppose(.exit(service.supervisor.slots[1].worker!.id, 1))
      if !service.supervisor.slots.contains(where: { $0.worker == nil }) { break }
      _ = service.after(.seconds(1))
    }
    let late = service.supervisor.slots[1].worker!.id
    #expect(
      service.after(.workerReady(late)).effects == [
        .restoreBacklog, .abandonPreparation(Self.third), .announce(.ready),
      ])
    #expect(service.supervisor.divergence == nil)
  }

  @Test("Who is queued where only workers can accept that are given up is waited for")
  func queues() {
    var service = Service(workers: 2, startAttempts: 1, lastGood: Self.good)
    service.suppose(.startRequested, .workerReady(.id(1, 2)), .exit(.id(2, slot: 1, 2), 1))
    let effects = service.after(.generationPrepared(Self.third, leavesQueues: true)).effects
    #expect(effects.first == .awaitEmptyQueue(.id(1, 2)))
    #expect(service.after(.queueEmpty(.id(1, 2))).effects == [.drain(.id(1, 2))])
  }

  @Test("Where what is recorded can't be started either, what is configured is tried on")
  func nothingToFallBackTo() {
    var service = Self.failing()
    service.suppose(.exit(service.supervisor.slots[0].worker!.id, 1))
    #expect(
      service.after(.generationNotPrepared(Self.third, reason: "gone")).notices == [.fallbackFailed(reason: "gone")])
    #expect(service.after(.seconds(1)).effects.contains(.spawn(.id(4, 2))))
  }

  @Test("Without a last good release a start goes on for ever, and says once that it takes long")
  func neverGivesUp() {
    var service = Self.failing(lastGood: nil)
    var told = 0
    for _ in 1...50 {
      let effects = service.after(.exit(service.supervisor.slots[0].worker!.id, 1))
      told += effects.notices.count { if case .startDelayed = $0 { true } else { false } }
      #expect(service.supervisor.condition == .down)
      _ = service.after(.seconds(30))
    }
    #expect(told == 1)
    service.suppose(.workerReady(service.supervisor.slots[0].worker!.id))
    #expect(service.supervisor.phase == .serving && service.supervisor.condition == .whole)
  }

  @Test("A start with a limit is given up when that is over")
  func limited() {
    var service = Service(startAttempts: nil)
    var settings = Settings(startLimit: .seconds(90))
    settings.readiness = .reported(timeout: .seconds(600))
    service.supervisor = Supervisor(settings: settings)
    service.suppose(.startRequested)
    #expect(service.after(.seconds(89)).notices.isEmpty)
    #expect(service.after(.seconds(1)).notices.contains(.startFailed(.tookTooLong(.seconds(90)))))
  }

  @Test("Listeners that can't be opened are tried again with growing waits, and the start goes on when they are open")
  func listeners() {
    var service = Service(startAttempts: nil)
    #expect(
      service.after(.listenersNotOpened(reason: "taken"))
        == Decision(effects: [askForTime], notices: [.listenersNotOpened(reason: "taken", retry: .milliseconds(100))]))
    #expect(service.after(.milliseconds(99)) == [])
    #expect(service.after(.milliseconds(1)) == [.openListeners])
    #expect(
      service.after(.listenersNotOpened(reason: "taken"))
        == Decision(effects: [], notices: [.listenersNotOpened(reason: "taken", retry: .milliseconds(200))]))
    #expect(service.after(.milliseconds(200)) == [.openListeners])
    #expect(service.after(.startRequested) == [.spawn(.first(0))])
  }

  @Test(
    "A reload that is asked for while a start is in trouble begins at once, and systemd isn't told until one serves")
  func reloadInsteadOfStart() {
    var service = Self.failing(lastGood: nil)
    service.suppose(.exit(service.supervisor.slots[0].worker!.id, 1))
    let prepared = Generation(number: 2)
    #expect(service.after(.hup).effects == [askForTime, .prepare(prepared, from: .configuration)])
    #expect(service.after(.generationPrepared(prepared)).effects == [.spawn(.id(4, 2))])
    #expect(service.after(.workerReady(.id(4, 2))).effects == [.restoreBacklog, .announce(.ready)])
    #expect(service.supervisor.phase == .serving)
  }

  @Test("When such a reload fails the start goes on")
  func resumed() {
    var service = Self.failing(lastGood: nil)
    service.suppose(.exit(service.supervisor.slots[0].worker!.id, 1), .hup)
    let effects = service.after(.generationNotPrepared(Generation(number: 2), reason: "no"))
    #expect(!effects.effects.contains(.announce(.ready)))
    #expect(service.supervisor.condition == .down)
    #expect(service.after(.seconds(30)).effects.contains(.spawn(.id(4, 1))))
  }

  @Test("A generation proves itself by serving for its probation without a failing worker")
  func proves() {
    var service = Service(probation: .seconds(60))
    service.suppose(.startRequested, .workerReady(.first(0)))
    #expect(service.after(.seconds(59)) == [])
    service.suppose(.exit(.first(0), 1), .workerReady(.id(2, 1)))
    #expect(service.after(.seconds(59)) == [])
    #expect(
      service.after(.seconds(1))
        == Decision(effects: [.record(Self.good)], notices: [.proved(Self.good, after: .seconds(119))]))
    #expect(service.supervisor.lastGood == Self.good && service.supervisor.nextDeadline == nil)
  }

  @Test("Time in which nothing ran proves nothing: a probation whose end comes late begins again")
  func stall() {
    var service = Service(probation: .seconds(60))
    service.suppose(.startRequested, .workerReady(.first(0)))
    #expect(service.after(.milliseconds(61_500)).effects == [])
    #expect(service.after(.milliseconds(59_999)).effects == [])
    #expect(service.after(.milliseconds(1)).effects == [.record(Generation(number: 1))])
  }

  @Test("A crash loop on probation is told once; it brings back what served before where that was asked for")
  func crashLoop() {
    for rollsBack in [false, true] {
      var service = Service(rollsBack: rollsBack, lastGood: Self.good)
      service.suppose(.startRequested, .workerReady(.id(1, 2)))
      var notices: [Notice] = []
      var orders: [Effect] = []
      for number in 1...4 {
        let effects = service.after(.exit(.id(number, 2), 1))
        notices += effects.notices
        orders += effects.effects
        orders += service.after(.seconds(1)).effects
      }
      #expect(notices.count { $0 == .crashLoop(Self.second, rollsBackTo: rollsBack ? Self.good : nil) } == 1)
      #expect(orders.contains(.prepare(Self.third, from: .record(Self.good))) == rollsBack)
    }
  }

  @Test("A cancelled reload fails with that as its reason, whatever it was doing")
  func cancelled() {
    var service = Service.reloading()
    let by = Requester.client(pid: 7, uid: 0)
    let effects = service.after(.cancelRequested(by: by))
    #expect(effects.effects == [.drain(.id(2, 2)), .announce(.ready)])
    #expect(effects.notices.first == .cancelRequested(by: by))
    #expect(service.supervisor.divergence == .reloadFailed(Self.second))
    var preparing = Service.serving()
    preparing.suppose(.hup)
    #expect(preparing.after(.cancelRequested(by: by)).effects == [.abandonPreparation(Self.second), .announce(.ready)])
    #expect(preparing.after(.cancelRequested(by: by)) == [])
  }

  @Test("A reload that replaces one ends it, and begins anew")
  func replaced() {
    var service = Service.reloading()
    let orders = service.after(.reloadRequested(by: .signal(1), replacing: true)).effects
    #expect(orders.contains(.drain(.id(2, 2))))
    #expect(orders.last == .prepare(Self.third, from: .configuration))
  }
}
