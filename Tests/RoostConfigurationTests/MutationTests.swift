import RoostConfiguration
import RoostCore
import RoostJSON
import Testing

/// The master takes nothing on trust of who has read the configuration: that may be of another version, or mistaken.
@Suite("A configuration that isn't as it should be")
struct MutationTests {
  /// Where a value is within another.
  private enum Step {
    case member(Int)
    case element(Int)
  }

  private static let strangers: [JSON] = [
    .null, true, false, -1, 0, 1, 65536, 4_294_967_295, 4_294_967_296, .integer(.max), .integer(.min),
    .integer(.max - 1),
    "", "a", "/", "a\0b", "LISTEN_PID=", "=x", "A=b", "-", .string(String(repeating: "x", count: 5000)), [], [[]], [:],
    ["a"], ["a": 1], ["udp": ["udp": ["udp": ["port": 1]]]], ["unix": "relative"], ["port": 65536], ["fd": "nobody"],
  ]

  private static func paths(in json: JSON) -> [[Step]] {
    switch json {
    case .object(let members):
      [[]] + members.indices.flatMap { index in paths(in: members[index].value).map { [.member(index)] + $0 } }
    case .array(let elements):
      [[]] + elements.indices.flatMap { index in paths(in: elements[index]).map { [.element(index)] + $0 } }
    case .null, .boolean, .integer, .string: [[]]
    }
  }

  private static func replaced(_ json: JSON, _ path: ArraySlice<Step>, by stranger: JSON?) -> JSON {
    guard let step = path.first else { return stranger ?? .null }
    let rest = path.dropFirst()
    switch (json, step) {
    case (.object(var members), .member(let index)):
      if rest.isEmpty, stranger == nil {
        members.remove(at: index)
      } else {
        members[index] = JSON.Member(members[index].name, replaced(members[index].value, rest, by: stranger))
      }
      return .object(members)
    case (.array(var elements), .element(let index)):
      if rest.isEmpty, stranger == nil {
        elements.append(elements[index])
      } else {
        elements[index] = replaced(elements[index], rest, by: stranger)
      }
      return .array(elements)
    default: preconditionFailure("a path through something else")
    }
  }

  /// What a master does with it that would trap.
  private static func use(_ configuration: Configuration) throws {
    let again = try Configuration(json: JSON(parsing: Array(configuration.json.text.utf8)))
    #expect(again == configuration)
    _ = configuration.worker.command[0]
    let start = Instant(sinceOrigin: .seconds(1))
    var supervisor = Supervisor(settings: configuration.settings)
    _ = supervisor.handle(.startRequested, at: start)
    _ = supervisor.handle(.workersRequested(configuration.settings.workers), at: start)
    var now = start
    for _ in 0..<10 {
      guard let deadline = supervisor.nextDeadline, configuration.settings.workers < 50 else { break }
      now = max(deadline, now)
      _ = now.sinceOrigin.wholeMilliseconds
      _ = supervisor.handle(.timePassed, at: now)
    }
    _ = try ListenerPlan(open: configuration.listeners, wanted: configuration.listeners)
  }

  @Test(
    "Whatever one value is replaced by, the answer is a usable configuration or an error", arguments: [true, false])
  func eachValue(isByAge: Bool) throws {
    let readiness: Settings.Readiness = isByAge ? .alive(after: .zero) : .reported(timeout: .seconds(1))
    let json = try StateTests.configuration(readiness, pidFile: isByAge ? nil : "/run/web.pid").json
    var refused = 0
    var accepted = 0
    for path in Self.paths(in: json) {
      for stranger in Self.strangers + [nil] {
        let mutant = Self.replaced(json, path[...], by: stranger)
        do throws(ConfigurationError) {
          let configuration = try Configuration(json: mutant)
          accepted += 1
          do { try Self.use(configuration) } catch { Issue.record("\(error) of what was accepted") }
        } catch {
          #expect(!error.description.isEmpty)
          refused += 1
        }
      }
    }
    #expect(refused > 10 * accepted / 20 && accepted > 0)
  }

  @Test(
    "What is out of range is told with its name and its range",
    arguments: [
      ("workers", -1, "'workers' is -1, expected 1 to 1024"),
      ("workers", 1025, "'workers' is 1025, expected 1 to 1024"),
      ("surge", 0, "'surge' is 0, expected 1 to 1024"),
      ("surge", 1025, "'surge' is 1025, expected 1 to 1024"),
      ("startAttempts", 0, "'start-attempts' is 0, expected 1 to 1000"),
      ("drainTimeout", .max, "'drain-timeout' is 9223372036854775807 ms, expected 0 to 604800000 ms"),
      ("drainTimeout", -1, "'drain-timeout' is -1 ms, expected 0 to 604800000 ms"),
      ("hookTimeout", 999, "'hook-timeout' is 999 ms, expected 1000 to 604800000 ms"),
      ("backoffLongest", 0, "'restart-delay-limit' is below 'restart-delay'"),
    ])
  func ranges(_ name: String, _ value: Int, _ problem: String) throws {
    let json = try StateTests.configuration(.alive(after: .zero), pidFile: nil).json
    guard case .object(let members) = json, case .object(let settings) = json["settings"] else {
      preconditionFailure("a configuration is an object")
    }
    let mutant = settings.map { $0.name == name ? JSON.Member(name, .integer(value)) : $0 }
    let whole = members.map { $0.name == "settings" ? JSON.Member("settings", .object(mutant)) : $0 }
    #expect {
      try Configuration(json: .object(whole))
    } throws: { error in
      (error as? ConfigurationError)?.description == problem
    }
  }
}
