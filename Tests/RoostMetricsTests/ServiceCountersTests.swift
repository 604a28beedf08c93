import RoostCore
import RoostJSON
import Testing

@testable import RoostMetrics

@Suite("What has happened, in numbers")
struct ServiceCountersTests {
  private static let worker = WorkerID(number: 1, slot: 0, generation: Generation(number: 1))
  private static let second = Generation(number: 2)

  private static func failed(_ failure: Failure, after: Duration = .milliseconds(20)) -> Notice {
    .reloadFailed(second, failure, after: after, serving: Generation(number: 1), moved: 0, slots: 1)
  }

  private static func counted(_ notices: [Notice]) -> ServiceCounters {
    var counters = ServiceCounters()
    for (index, notice) in notices.enumerated() { counters.count(notice, at: 1_000_000 + index) }
    return counters
  }

  /// A counter of each kind, and a reload of each result.
  static let eventful = counted([
    .workerStarted(worker), .workerReady(worker, after: .milliseconds(3)),
    .workerLost(worker, .exited(worker, .exited(status: 1), .serving(.seconds(1))), then: .another(after: .zero)),
    .workerLost(worker, .exited(worker, .signalled(11, dumpedCore: true), .starting), then: .awaitsCandidate),
    .workerLost(worker, .notReady(worker, timeout: .seconds(1)), then: .startFails),
    .workerLost(worker, .notStarted(worker, reason: "?"), then: .another(after: .zero)),
    .workerRecycled(worker, after: .seconds(1), then: .another(after: .zero)),
    .drainEnded(worker, .exited(status: 0), after: .seconds(1), killed: false),
    .drainTimedOut(worker, after: .seconds(1), remains: false),
    .reloadSucceeded(second, after: .milliseconds(50)), failed(.notPrepared(reason: "?"), after: .seconds(301)),
  ])

  @Test("Each notice raises what it stands for")
  func counts() {
    let counters = Self.eventful
    #expect(counters.workersStarted == 1 && counters.workersReady == 1 && counters.workersRecycled == 1)
    #expect(counters.workersLost == [.exited: 1, .signalled: 1, .notReady: 1, .notStarted: 1])
    #expect(counters.drains == 1 && counters.drainsTimedOut == 1)
    #expect(counters.succeeded.buckets == [1] + [Int](repeating: 0, count: 11))
    #expect(counters.failed.buckets == [Int](repeating: 0, count: 11) + [1])
    #expect(counters.reloadsFailed == [.notPrepared: 1])
    #expect(counters.lastReload == .init(succeeded: false, ended: 1_000_010, microseconds: 301_000_000))
    #expect(counters.lastSuccess == 1_000_009)
  }

  @Test("A reload fails for each of its causes")
  func causes() {
    let failures: [(Failure, ServiceCounters.Cause)] = [
      (.notPrepared(reason: ""), .notPrepared), (.hookFailed(.beforeReload, reason: ""), .hookFailed),
      (.notStarted(Self.worker, reason: ""), .notStarted), (.notReady(Self.worker, timeout: .zero), .notReady),
      (.exited(Self.worker, .exited(status: 0), .settling), .exited),
      (.exited(Self.worker, .signalled(9, dumpedCore: false), .starting), .signalled),
    ]
    for (failure, cause) in failures { #expect(Self.counted([Self.failed(failure)]).reloadsFailed == [cause: 1]) }
  }

  @Test("What changes nothing is not counted")
  func others() {
    let counters = Self.counted([
      .reloadBegan(Self.second, from: .configuration), .tookOver(Self.second, slots: 0..<1),
      .drainBegan(Self.worker, timeout: .zero),
      .stopRequested(by: .signal(15)), .startSucceeded(Self.second, workers: 1, after: .zero),
    ])
    #expect(counters == ServiceCounters())
  }

  @Test("A bound belongs to its bucket")
  func bounds() {
    var histogram = DurationHistogram()
    for duration in [0, 50_000, 50_001, 300_000_000, 300_000_001] { histogram.add(duration) }
    #expect(histogram.buckets == [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    #expect(histogram.count == 5 && histogram.sum == 600_100_002)
  }

  @Test("Counters survive as JSON")
  func json() throws {
    for counters in [ServiceCounters(), Self.eventful] {
      let text = try JSON(encoding: counters).text
      #expect(try JSON(parsing: Array(text.utf8)).decode(ServiceCounters.self) == counters)
    }
  }

  @Test("Without what they need they are refused, and with other buckets they aren't sound")
  func damaged() throws {
    guard case .object(let members) = try JSON(encoding: Self.eventful) else { preconditionFailure("no object") }
    for member in members where !["lastReload", "lastSuccess"].contains(member.name) {
      let rest = JSON.object(members.filter { $0.name != member.name })
      #expect(throws: DecodingError.self, "\(member.name)") { try rest.decode(ServiceCounters.self) }
    }
    let other = members.map { $0.name == "failed" ? JSON.Member("failed", ["buckets": [1], "sum": 0]) : $0 }
    #expect(try JSON.object(members).decode(ServiceCounters.self).areSound)
    #expect(try !JSON.object(other).decode(ServiceCounters.self).areSound)
  }
}
