import RoostCore
import Testing

@Suite("Stop")
struct StopTests {
  @Test("A stop drains all workers, then closes the listeners, and ends when the last worker is reaped")
  func graceful() {
    var service = Service.serving(workers: 2)
    #expect(
      service.after(.term)
        == Decision(
          effects: [.announce(.stopping), askForTime, .drain(.first(0)), .drain(.first(1)), .closeListeners],
          notices: [
            .stopRequested(by: .signal(15)), .drainBegan(.first(0), timeout: .seconds(60)),
            .drainBegan(.first(1), timeout: .seconds(60)),
          ]))
    #expect(service.after(.exit(.first(0))).effects == [])
    #expect(service.after(.exit(.first(1))).effects == [.exit(.stopped, atOnce: false)])
    #expect(service.supervisor.nextDeadline == nil)
  }

  @Test("A second stop kills at once")
  func second() {
    var service = Service.serving()
    service.suppose(.term)
    #expect(
      service.after(.term) == Decision(effects: [.kill(.first(0))], notices: [.stopAtOnceRequested(by: .signal(15))]))
    #expect(
      service.after(.workerExited(.first(0), .signalled(9, dumpedCore: false), remains: false)).effects == [
        .exit(.stopped, atOnce: true)
      ])
  }

  @Test("A third stop does nothing more")
  func third() {
    var service = Service.serving()
    service.suppose(.term, .term)
    #expect(service.after(.term).effects == [])
  }

  @Test("A stop at once kills every worker and waits for it to be reaped")
  func atOnce() {
    var service = Service.serving()
    let effects = service.after(.quit).effects
    #expect(effects == [.announce(.stopping), askForTime, .drain(.first(0)), .closeListeners, .kill(.first(0))])
    #expect(service.after(.exit(.first(0))).effects == [.exit(.stopped, atOnce: true)])
  }

  @Test("A worker that doesn't drain is killed after the drain timeout")
  func timeout() {
    var service = Service.serving(drainTimeout: .seconds(5))
    service.suppose(.term)
    #expect(service.after(.seconds(5)).effects == [.kill(.first(0))])
  }

  @Test("A stop during the start drains what was started")
  func duringStart() {
    var service = Service(workers: 2)
    service.suppose(.startRequested, .workerReady(.first(0)))
    #expect(
      service.after(.term).effects == [
        .announce(.stopping), askForTime, .drain(.first(0)), .drain(.first(1)), .closeListeners,
      ])
    service.suppose(.workerReady(.first(1)), .exit(.first(0)))
    #expect(service.after(.exit(.first(1))).effects == [.exit(.stopped, atOnce: false)])
  }

  @Test("A stop during a reload drains candidates and current workers alike")
  func duringReload() {
    var service = Service.reloading()
    #expect(
      service.after(.term).effects == [
        .announce(.stopping), askForTime, .drain(.first(0)), .drain(.id(2, 2)), .closeListeners,
      ])
    #expect(service.after(.hup) == [])
    service.suppose(.exit(.first(0)))
    #expect(service.after(.exit(.id(2, 2))).effects == [.exit(.stopped, atOnce: false)])
  }

  @Test("A stop while the generation is being prepared starts nothing")
  func whilePreparing() {
    var service = Service.serving()
    service.suppose(.hup, .term)
    #expect(service.after(.generationPrepared(Generation(number: 2))) == [])
    #expect(service.after(.exit(.first(0))).effects == [.exit(.stopped, atOnce: false)])
  }

  @Test("A stop waits for retirees of earlier reloads, within their own drain timeout")
  func earlierRetirees() {
    var service = Service.reloading(drainTimeout: .seconds(10))
    service.suppose(.workerReady(.id(2, 2)))
    _ = service.after(.seconds(4))
    service.suppose(.term)
    #expect(service.after(.seconds(6)).effects == [.kill(.first(0))])
    #expect(service.after(.seconds(4)).effects == [.kill(.id(2, 2))])
  }

  @Test("A stop before anything was started ends at once")
  func idle() {
    var service = Service()
    #expect(
      service.after(.term).effects == [
        .announce(.stopping), askForTime, .closeListeners, .exit(.stopped, atOnce: false),
      ])
  }

  @Test("A stop waits for what exited workers have left behind")
  func remains() {
    var service = Service.serving()
    service.suppose(.term)
    #expect(
      service.after(.workerExited(.first(0), .exited(status: 0), remains: true)).effects == [.drain(.first(0))])
    #expect(service.after(.workerRemainsGone(.first(0))).effects == [.exit(.stopped, atOnce: false)])
  }

  @Test("What is killed after its worker was reaped isn't waited for: the master need not be its parent")
  func killedRemains() {
    var service = Service.serving()
    service.suppose(.term, .workerExited(.first(0), .exited(status: 0), remains: true))
    #expect(service.after(.quit).effects == [.kill(.first(0)), .exit(.stopped, atOnce: true)])
  }

  @Test("What a worker that was killed has left is killed too, and not waited for")
  func remainsOfKilled() {
    var service = Service.serving()
    service.suppose(.quit)
    #expect(
      service.after(.workerExited(.first(0), .signalled(9, dumpedCore: false), remains: true)).effects == [
        .kill(.first(0)), .exit(.stopped, atOnce: true),
      ])
  }

  @Test("systemd is asked for more time while workers drain on a stop")
  func asksForMoreTime() {
    var service = Service.serving()
    service.suppose(.term)
    #expect(service.after(.seconds(15)) == [askForTime])
    service.suppose(.exit(.first(0)))
    #expect(service.supervisor.nextDeadline == nil)
  }
}
