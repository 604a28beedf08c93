import RoostMetrics
import Testing

@Suite("Metrics as text")
struct ExpositionTests {
  private static func snapshot(service: String = "web") -> ServiceSnapshot {
    var snapshot = ServiceSnapshot(
      service: service, version: "1.2.3", started: 1000, phase: .reloading, generation: 7, workersWanted: 2)
    snapshot.current.ready = 2
    snapshot.candidates.starting = 1
    snapshot.restarts = [3, 0]
    snapshot.counters = ServiceCountersTests.eventful
    snapshot.workers = [.init(slot: 0, generation: 7, memoryBytes: 4096, cpuMilliseconds: 1050)]
    snapshot.lastReloadDropped = 4
    return snapshot
  }

  private static func lines(_ snapshot: ServiceSnapshot, _ format: Exposition.Format = .openMetrics) -> [String] {
    snapshot.text(format).split(separator: "\n").map(String.init)
  }

  @Test("Values, labels and units are what they have to be")
  func values() {
    let lines = Self.lines(Self.snapshot())
    for line in [
      "roost_build_info{service=\"web\",version=\"1.2.3\"} 1", "# UNIT roost_start_time_seconds seconds",
      "roost_phase{service=\"web\",roost_phase=\"reloading\"} 1",
      "roost_phase{service=\"web\",roost_phase=\"serving\"} 0",
      "roost_workers{service=\"web\",role=\"candidate\",state=\"starting\"} 1", "# TYPE roost_workers_lost counter",
      "roost_workers_lost_total{service=\"web\",cause=\"not_ready\"} 1",
      "roost_slot_restarts_total{service=\"web\",slot=\"0\"} 3",
      "roost_reloads_total{service=\"web\",result=\"failed\"} 1",
      "roost_last_reload_duration_seconds{service=\"web\"} 301.0",
      "roost_reload_duration_seconds_bucket{service=\"web\",result=\"succeeded\",le=\"0.05\"} 1",
      "roost_reload_duration_seconds_bucket{service=\"web\",result=\"failed\",le=\"300.0\"} 0",
      "roost_reload_duration_seconds_bucket{service=\"web\",result=\"failed\",le=\"+Inf\"} 1",
      "roost_reload_duration_seconds_sum{service=\"web\",result=\"succeeded\"} 0.05",
      "roost_last_successful_reload_time_seconds{service=\"web\"} 1.000009",
      "roost_last_reload_dropped{service=\"web\"} 4",
      "roost_worker_cpu_seconds_total{service=\"web\",slot=\"0\",generation=\"7\"} 1.05",
    ] {
      #expect(lines.contains(line), "\(line)")
    }
    #expect(lines.last == "# EOF")
  }

  @Test("The older format calls families by their samples, and has no end")
  func older() {
    let lines = Self.lines(Self.snapshot(), .prometheus)
    #expect(lines.contains("# TYPE roost_workers_lost_total counter"))
    #expect(lines.contains("# TYPE roost_build_info gauge") && lines.contains("# TYPE roost_phase gauge"))
    #expect(!lines.contains { $0.hasPrefix("# UNIT") || $0 == "# EOF" })
    // The samples are the same.
    #expect(lines.filter { !$0.hasPrefix("#") } == Self.lines(Self.snapshot()).filter { !$0.hasPrefix("#") })
  }

  @Test("A label's value can't end itself")
  func escapes() {
    let lines = Self.lines(Self.snapshot(service: "a\"b\\c\nd"))
    #expect(lines.contains("roost_generation{service=\"a\\\"b\\\\c\\nd\"} 7"))
  }

  @Test("What isn't known has no sample, and no family where nothing is known")
  func unknown() {
    var snapshot = Self.snapshot()
    snapshot.add(.init(name: "u", address: "unix:/u", queued: nil, limit: nil, peak: 0, dropped: nil))
    #expect(!Self.lines(snapshot).contains { $0.contains("roost_listener_dropped") || $0.contains("queue_length") })
    snapshot.add(.init(name: "t", address: "*:1", queued: 1, limit: 2, peak: 3, dropped: 4))
    let samples = Self.lines(snapshot).filter { $0.hasPrefix("roost_listener_dropped") }
    #expect(samples == ["roost_listener_dropped_total{service=\"web\",listener=\"t\",address=\"*:1\"} 4"])
  }

  @Test("Sockets of one name and address are one series")
  func sums() {
    var snapshot = Self.snapshot()
    snapshot.add(.init(name: "t", address: "*:1", queued: nil, limit: nil, peak: 0, dropped: nil))
    snapshot.add(.init(name: "t", address: "*:1", queued: 1, limit: 2, peak: 3, dropped: 4))
    snapshot.add(.init(name: "t", address: "*:1", queued: 1, limit: 2, peak: 3, dropped: 4))
    #expect(snapshot.listeners == [.init(name: "t", address: "*:1", queued: 2, limit: 4, peak: 6, dropped: 8)])
  }

  @Test("Before the first reload there is none to tell of")
  func fresh() {
    let fresh = ServiceSnapshot(
      service: "web", version: "1", started: 1, phase: .starting, generation: 1, workersWanted: 1)
    let lines = Self.lines(fresh)
    #expect(!lines.contains { $0.contains("roost_last_") })
    #expect(lines.contains("roost_reloads_total{service=\"web\",result=\"succeeded\"} 0"))
  }

  @Test("No line is there twice, in either format", arguments: Exposition.Format.allCases)
  func distinct(format: Exposition.Format) {
    let lines = Self.lines(Self.snapshot(), format)
    #expect(Set(lines).count == lines.count)
  }
}
