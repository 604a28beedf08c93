import RoostCore
import Testing

@Suite("Stall")
struct StallTests {
  /// The next deadline is missed by so much, since nothing ran.
  private func stall(_ service: inout Service, by missed: Duration) -> [Effect] {
    guard let deadline = service.supervisor.nextDeadline else { return [] }
    service.now = deadline + missed
    let told = service.after(.stalled(missed))
    #expect(told == [.report(.stalled(missed))])
    return service.after(.timePassed)
  }

  @Test("A retiree gets as much time again as its deadline was missed by, and is killed then")
  func drain() {
    var service = Service.reloading(drainTimeout: .seconds(5))
    service.suppose(.workerReady(.id(2, 2)))
    #expect(stall(&service, by: .seconds(20)).orders == [])
    #expect(service.after(.milliseconds(19_900)).orders == [])
    #expect(service.after(.milliseconds(100)).orders == [.kill(.first(0))])
  }

  @Test("A minute at most")
  func limit() {
    var service = Service.reloading(drainTimeout: .seconds(5))
    service.suppose(.workerReady(.id(2, 2)))
    #expect(stall(&service, by: .seconds(86_400)).orders == [])
    #expect(service.after(.seconds(60)).orders == [.kill(.first(0))])
  }

  @Test("Who has more time left keeps it")
  func later() {
    var service = Service.serving(workers: 2, drainTimeout: .seconds(30))
    service.suppose(.hup, .generationPrepared(Generation(number: 2)), .workerReady(.id(3, slot: 0, 2)))
    service.suppose(.workerReady(.id(4, slot: 1, 2)), .workerAskedForTime(.first(1), .seconds(120)))
    _ = stall(&service, by: .seconds(25))
    _ = service.after(.seconds(25))
    #expect(
      service.supervisor.retirees.map(\.stage) == [
        .killed, .draining(until: Instant(sinceOrigin: .seconds(1120))),
      ])
  }

  @Test("A candidate isn't given up for time in which it didn't run")
  func candidate() {
    var service = Service.reloading()
    #expect(stall(&service, by: .seconds(60)).orders == [askForTime])
    #expect(service.supervisor.phase != .serving)
    #expect(service.after(.workerReady(.id(2, 2))).orders.contains(.drain(.first(0))))
  }

  @Test("Candidates that settle are watched for as long again")
  func settle() {
    var service = Service.reloading(settle: .seconds(1))
    service.suppose(.workerReady(.id(2, 2)))
    #expect(stall(&service, by: .seconds(1)).orders == [])
    #expect(
      service.after(.exit(.id(2, 2), 1)).notices.contains { notice in
        if case .reloadFailed = notice { true } else { false }
      })
  }

  @Test("A worker that waits for its restart is started at once")
  func backoff() {
    var service = Service.serving()
    service.suppose(.exit(.first(0), 1), .exit(.id(2, 1), 1))
    #expect(stall(&service, by: .seconds(20)).orders == [.spawn(.id(3, 1))])
  }
}
