import RoostCore
import Testing

@Suite("Reload")
struct ReloadTests {
  let second = Generation(number: 2)

  @Test("A reload is announced, and begins with preparing the generation")
  func begin() {
    var service = Service.serving()
    #expect(
      service.after(.hup)
        == Decision(
          effects: [.announce(.reloading), askForTime, .prepare(second, from: .configuration)],
          notices: [
            .reloadRequested(by: .signal(1), from: .configuration, latched: nil),
            .reloadBegan(second, from: .configuration),
          ]))
  }

  @Test("All candidates are started at once unless told otherwise")
  func candidates() {
    var service = Service.serving(workers: 2)
    service.suppose(.hup)
    #expect(
      service.after(.generationPrepared(second)) == [.spawn(.id(3, slot: 0, 2)), .spawn(.id(4, slot: 1, 2))])
  }

  @Test("The current generation drains when the last candidate is ready, not before")
  func takeover() {
    var service = Service.reloading(workers: 2)
    #expect(service.after(.workerReady(.id(4, slot: 1, 2))).effects == [.restoreBacklog])
    #expect(
      service.after(.workerReady(.id(3, slot: 0, 2)))
        == Decision(
          effects: [.restoreBacklog, .drain(.first(0)), .drain(.first(1)), .announce(.ready)],
          notices: [
            .workerReady(.id(3, slot: 0, 2), after: .zero), .tookOver(second, slots: 0..<2),
            .drainBegan(.first(0), timeout: .seconds(60)), .drainBegan(.first(1), timeout: .seconds(60)),
            .reloadSucceeded(second, after: .zero),
          ]))
    #expect(service.supervisor.serving == second)
  }

  @Test("Ready candidates are observed for the settle time before they take over")
  func settle() {
    var service = Service.reloading(settle: .seconds(2))
    #expect(service.after(.workerReady(.id(2, 2))).effects == [.restoreBacklog])
    #expect(service.after(.milliseconds(1999)) == [])
    #expect(service.after(.milliseconds(1)).effects == [.drain(.first(0)), .announce(.ready)])
  }

  @Test(
    "A candidate that exits before it is ready fails the reload at once; the current worker isn't touched")
  func candidateExits() {
    var service = Service.reloading()
    #expect(
      service.after(.exit(.id(2, 2), 3))
        == Decision(
          effects: [.announce(.ready)],
          notices: [
            .reloadFailed(
              second, .exited(.id(2, 2), .exited(status: 3), .starting), after: .zero, serving: Generation(number: 1),
              moved: 0, slots: 1)
          ]))
    #expect(service.supervisor.phase == .serving)
    #expect(service.supervisor.slots[0].worker?.id == .first(0))
  }

  @Test("A candidate that can't be executed fails the reload at once")
  func notExecuted() {
    var service = Service.reloading()
    #expect(service.after(.workerNotStarted(.id(2, 2), reason: "no")).effects == [.announce(.ready)])
  }

  @Test("A generation that can't be prepared fails the reload before anything is started")
  func notPrepared() {
    var service = Service.serving()
    service.suppose(.hup)
    #expect(
      service.after(.generationNotPrepared(second, reason: "no"))
        == Decision(
          effects: [.announce(.ready)],
          notices: [
            .reloadFailed(
              second, .notPrepared(reason: "no"), after: .zero, serving: Generation(number: 1), moved: 0, slots: 1)
          ]))
  }

  @Test("A candidate that hangs is drained after its ready timeout, since it may serve all the same")
  func hangs() {
    var service = Service.reloading()
    #expect(service.after(.seconds(60)).effects == [.drain(.id(2, 2)), .announce(.ready)])
    #expect(
      service.after(.exit(.id(2, 2))).notices == [
        .drainEnded(.id(2, 2), .exited(status: 0), after: .zero, killed: false)
      ])
  }

  @Test("A candidate that is stopped when it was to take over fails the reload")
  func stopped() {
    var service = Service.reloading(settle: .seconds(2))
    service.suppose(.workerReady(.id(2, 2)), .workerStopped(.id(2, 2)))
    #expect(
      service.after(.seconds(2)).notices.first
        == .reloadFailed(
          second, .stopped(.id(2, 2)), after: .seconds(2), serving: Generation(number: 1), moved: 0, slots: 1))
    #expect(service.supervisor.slots[0].worker?.id == .first(0))
  }

  @Test("A candidate that was stopped and goes on is observed anew")
  func continued() {
    var service = Service.reloading(settle: .seconds(2))
    service.suppose(.workerReady(.id(2, 2)), .workerStopped(.id(2, 2)))
    #expect(service.after(.seconds(1)) == [])
    service.suppose(.workerContinued(.id(2, 2)))
    #expect(service.after(.milliseconds(1999)) == [])
    #expect(service.after(.milliseconds(1)).effects.contains(.drain(.first(0))))
  }

  @Test("A candidate that is stopped again and again isn't observed for ever")
  func stoppedOften() {
    var service = Service.reloading(settle: .seconds(2))
    service.suppose(.workerReady(.id(2, 2)))
    for _ in 1..<5 { service.suppose(.workerStopped(.id(2, 2)), .workerContinued(.id(2, 2))) }
    #expect(service.after(.workerStopped(.id(2, 2))).effects == [.announce(.ready), .drain(.id(2, 2))].reversed())
    #expect(service.supervisor.phase == .serving)
  }

  @Test("Without a time to settle a stopped candidate doesn't take over either")
  func stoppedAtOnce() {
    var service = Service.reloading()
    service.suppose(.workerStopped(.id(2, 2)))
    #expect(service.after(.workerReady(.id(2, 2))).effects.contains(.drain(.id(2, 2))))
  }

  @Test("A candidate that dies while it settles fails the reload")
  func diesSettling() {
    var service = Service.reloading(settle: .seconds(2))
    service.suppose(.workerReady(.id(2, 2)))
    let cause = ExitCause.signalled(11, dumpedCore: true)
    #expect(
      service.after(.workerExited(.id(2, 2), cause, remains: false)).notices == [
        .reloadFailed(
          second, .exited(.id(2, 2), cause, .settling), after: .zero, serving: Generation(number: 1), moved: 0,
          slots: 1)
      ])
  }

  @Test("When one candidate fails, those that were ready and serve are drained, never killed")
  func readyOnesDrain() {
    var service = Service.reloading(workers: 2)
    service.suppose(.workerReady(.id(4, slot: 1, 2)))
    #expect(
      service.after(.exit(.id(3, slot: 0, 2), 3)).effects == [.drain(.id(4, slot: 1, 2)), .announce(.ready)])
    #expect(service.after(.milliseconds(59_999)) == [])
    #expect(service.after(.milliseconds(1)).effects == [.kill(.id(4, slot: 1, 2))])
  }

  @Test("A candidate that fails at the same instant as another is just gone")
  func bothFail() {
    var service = Service.reloading(workers: 2)
    service.suppose(.workerNotStarted(.id(3, slot: 0, 2), reason: "no"))
    #expect(service.after(.workerNotStarted(.id(4, slot: 1, 2), reason: "no")) == [])
    #expect(service.supervisor.retirees == [])
  }

  @Test("However many reloads are asked for while one runs, exactly one runs after it")
  func storm() {
    var service = Service.reloading()
    for _ in 0..<50 {
      #expect(
        service.after(.hup)
          == Decision(effects: [], notices: [.reloadRequested(by: .signal(1), from: .configuration, latched: .reload)]))
    }
    let third = Generation(number: 3)
    #expect(
      service.after(.workerReady(.id(2, 2))).effects == [
        .restoreBacklog, .drain(.first(0)), .announce(.ready), .announce(.reloading), askForTime,
        .prepare(third, from: .configuration),
      ])
    service.suppose(.generationPrepared(third))
    #expect(
      service.after(.workerReady(.id(3, 3))).effects == [.restoreBacklog, .drain(.id(2, 2)), .announce(.ready)])
    #expect(service.supervisor.phase == .serving)
  }

  @Test("A latched reload runs also after a failed one")
  func latchedAfterFailure() {
    var service = Service.reloading()
    service.suppose(.hup)
    #expect(
      service.after(.exit(.id(2, 2), 3)).effects == [
        .announce(.ready), .announce(.reloading), askForTime, .prepare(Generation(number: 3), from: .configuration),
      ])
  }

  @Test("A generation's number is never used again, also when its reload has failed")
  func numbers() {
    var service = Service.reloading()
    service.suppose(.exit(.id(2, 2), 3))
    #expect(service.after(.hup).effects.last == .prepare(Generation(number: 3), from: .configuration))
  }

  @Test("A current worker that dies before its candidate is started is restarted at once: nobody else is on the way")
  func currentDiesEarly() {
    var service = Service.serving()
    service.suppose(.hup)
    #expect(
      service.after(.exit(.first(0), 1))
        == Decision(
          effects: [.spawn(.id(2, 1))],
          notices: [
            .workerLost(
              .first(0), .exited(.first(0), .exited(status: 1), .serving(.zero)), then: .another(after: .zero))
          ]))
    #expect(service.after(.generationPrepared(second)).effects == [.spawn(.id(3, 2))])
    #expect(service.after(.workerReady(.id(3, 2))).effects == [.restoreBacklog, .drain(.id(2, 1)), .announce(.ready)])
  }

  @Test("A current worker that dies when its candidate is started isn't restarted: that is on its way")
  func currentDies() {
    var service = Service.reloading()
    #expect(
      service.after(.exit(.first(0), 1))
        == Decision(
          effects: [],
          notices: [
            .workerLost(.first(0), .exited(.first(0), .exited(status: 1), .serving(.zero)), then: .awaitsCandidate)
          ]))
    #expect(service.after(.workerReady(.id(2, 2))).effects == [.restoreBacklog, .announce(.ready)])
  }

  @Test("A current worker that died during a reload is restarted as soon as the reload fails")
  func currentDiesAndReloadFails() {
    var service = Service.reloading()
    service.suppose(.exit(.first(0), 1))
    #expect(service.after(.exit(.id(2, 2), 3)).effects == [.announce(.ready), .spawn(.id(3, 1))])
  }

  @Test("A slot that waits for its restart goes on waiting while a reload has no candidate for it")
  func backingOffBeforeCandidate() {
    var service = Service.serving()
    service.suppose(.exit(.first(0), 1), .exit(.id(2, 1), 1), .hup)
    #expect(service.after(.milliseconds(99)) == [])
    #expect(service.after(.milliseconds(1)) == [.spawn(.id(3, 1))])
  }

  @Test("A slot that waits for its restart waits for its candidate instead, once that is started")
  func backingOffAtReload() {
    var service = Service.serving()
    service.suppose(.exit(.first(0), 1), .exit(.id(2, 1), 1), .hup, .generationPrepared(second))
    #expect(service.after(.milliseconds(500)) == [])
    #expect(service.after(.workerReady(.id(3, 2))).effects == [.restoreBacklog, .announce(.ready)])
  }

  @Test("A retiree is killed with its group when its drain timeout is over, and not before")
  func drainTimeout() {
    var service = Service.reloading(drainTimeout: .seconds(5))
    service.suppose(.workerReady(.id(2, 2)))
    #expect(service.after(.milliseconds(4999)) == [])
    #expect(
      service.after(.milliseconds(1))
        == Decision(
          effects: [.kill(.first(0))], notices: [.drainTimedOut(.first(0), after: .seconds(5), remains: false)]))
    #expect(service.after(.seconds(600)) == [])
  }

  @Test("A retiree that asks for time gets it")
  func drainExtended() {
    var service = Service.reloading(drainTimeout: .seconds(5))
    service.suppose(.workerReady(.id(2, 2)), .workerAskedForTime(.first(0), .seconds(20)))
    #expect(service.after(.milliseconds(19_999)) == [])
    #expect(service.after(.milliseconds(1)).effects == [.kill(.first(0))])
  }

  @Test("Readiness that comes with the deadline counts, if it is heard before")
  func readyAtDeadline() {
    var service = Service.reloading()
    service.now = service.now + .seconds(60)
    #expect(service.after(.workerReady(.id(2, 2))).effects.contains(.drain(.first(0))))
    #expect(service.after(.zero).notices.isEmpty)
  }

  @Test("An exit at the same instant as the end of the settle time fails the reload, if it is heard before")
  func exitAtDeadline() {
    var service = Service.reloading(settle: .seconds(2))
    service.suppose(.workerReady(.id(2, 2)))
    service.now = service.now + .seconds(2)
    #expect(service.after(.exit(.id(2, 2), 1)).effects == [.announce(.ready)])
    #expect(service.after(.zero) == [])
    #expect(service.supervisor.slots[0].worker?.id == .first(0))
  }

  @Test("systemd is asked for more time while a reload takes long, and not while a retiree drains")
  func asksForMoreTime() {
    var service = Service.reloading()
    #expect(service.after(.seconds(15)) == [askForTime])
    service.suppose(.workerReady(.id(2, 2)))
    #expect(service.after(.seconds(45)) == [])
  }

  @Test("Settings that were read anew hold for the candidates and from the takeover on")
  func changedSettings() {
    var service = Service.serving(drainTimeout: .seconds(60))
    var settings = service.supervisor.settings
    settings.drainTimeout = .seconds(5)
    settings.readiness = .reported(timeout: .seconds(7))
    service.suppose(.hup, .generationPrepared(Generation(number: 2), settings: settings))
    #expect(service.supervisor.settings.drainTimeout == .seconds(60))
    service.suppose(.workerReady(.id(2, 2)))
    #expect(service.supervisor.settings == settings)
    #expect(service.after(.seconds(5)).effects == [.kill(.first(0))])
  }

  @Test("Settings of a reload that fails are forgotten")
  func forgottenSettings() {
    var service = Service.serving()
    let before = service.supervisor.settings
    var settings = before
    settings.drainTimeout = .seconds(5)
    settings.workers = 3
    service.suppose(.hup, .generationPrepared(Generation(number: 2), settings: settings), .exit(.id(2, slot: 0, 2), 1))
    #expect(service.supervisor.settings == before)
    #expect(service.supervisor.slots.count == 1)
    #expect(service.supervisor.desiredWorkers == 1)
  }

  @Test("A reload with more workers takes over when all of them are ready")
  func moreWorkers() {
    var service = Service.serving()
    var settings = service.supervisor.settings
    settings.workers = 2
    service.suppose(.hup)
    let orders = service.after(.generationPrepared(Generation(number: 2), settings: settings)).effects
    #expect(orders == [.spawn(.id(2, slot: 0, 2)), .spawn(.id(3, slot: 1, 2))])
    #expect(service.after(.workerReady(.id(2, slot: 0, 2))).effects == [.restoreBacklog])
    #expect(
      service.after(.workerReady(.id(3, slot: 1, 2))).effects == [
        .restoreBacklog, .drain(.first(0)), .announce(.ready),
      ])
    #expect(service.supervisor.desiredWorkers == 2)
  }

  @Test("A reload with fewer workers lets the last ones go after the takeover")
  func fewerWorkers() {
    var service = Service.serving(workers: 2)
    var settings = service.supervisor.settings
    settings.workers = 1
    service.suppose(.hup, .generationPrepared(Generation(number: 2), settings: settings))
    service.suppose(.workerReady(.id(3, slot: 0, 2)), .workerReady(.id(4, slot: 1, 2)))
    #expect(service.supervisor.slots.count == 1)
    #expect(service.supervisor.retirees.map(\.id) == [.first(0), .first(1), .id(4, slot: 1, 2)])
  }

  @Test("Candidates wait for the hook before the reload, and a failing one stops the reload")
  func beforeReload() {
    let second = Generation(number: 2)
    var service = Service.serving()
    var settings = service.supervisor.settings
    settings.beforeReload = true
    service.suppose(.hup)
    #expect(
      service.after(.generationPrepared(second, settings: settings)).effects == [.runHook(.beforeReload, second)])
    var other = service
    #expect(service.after(.hookEnded(.beforeReload, second, failure: nil)).effects == [.spawn(.id(2, 2))])
    #expect(other.after(.hookEnded(.beforeReload, second, failure: "no")).effects == [.announce(.ready)])
    #expect(other.supervisor.phase == .serving)
  }

  @Test("A hook that takes too long is killed, and the reload fails")
  func slowHook() {
    var service = Service.serving()
    var settings = service.supervisor.settings
    settings.beforeReload = true
    settings.hookTimeout = .seconds(9)
    service.suppose(.hup, .generationPrepared(Generation(number: 2), settings: settings))
    let orders = service.after(.seconds(9)).effects
    #expect(orders == [.killHook(.beforeReload, Generation(number: 2)), .announce(.ready)])
  }

  @Test("A configuration that can't be read in time fails the reload")
  func slowPreparation() {
    var service = Service.serving()
    service.suppose(.hup)
    let orders = service.after(.seconds(60)).effects
    #expect(orders.contains(.abandonPreparation(Generation(number: 2))))
    #expect(service.supervisor.phase == .serving)
  }

  @Test("A stop ends what a reload has under way")
  func stopDuringPreparation() {
    var service = Service.serving()
    service.suppose(.hup)
    #expect(service.after(.term).effects.first == .abandonPreparation(Generation(number: 2)))
  }
}
