import RoostControl
import RoostCore
import RoostJSON
import Testing

private typealias Message = Codable & Hashable & Sendable

/// The interface's types, as its description declares them.
private struct Declarations {
  /// The types of the members of each type, by their names.
  private(set) var types: [String: [String: String]] = [:]

  init() {
    let text = ControlInterface.description.split(separator: "\n").filter { !$0.contains("#") }.joined(separator: " ")
    for declared in text.matches(of: /type (\w+) \(((?:[^()]|\([^()]*\))*)\)/) {
      let members = declared.2.matches(of: /(\w+): (\([^()]*\)|\S+\([^()]*\)|[^,\s]+)/)
      types[String(declared.1)] = Dictionary(
        uniqueKeysWithValues: members.map { (String($0.1), String($0.2)) })
    }
  }

  /// What of a value isn't as its type is declared.
  func problems(_ value: JSON, _ type: String, at place: String) -> [String] {
    if type.hasPrefix("?") { return value == .null ? [] : problems(value, String(type.dropFirst()), at: place) }
    if type.hasPrefix("[]") {
      guard case .array(let elements) = value else { return ["\(place) isn't \(type)"] }
      return elements.flatMap { problems($0, String(type.dropFirst(2)), at: place + "[]") }
    }
    switch (type, value) {
    case ("int", .integer), ("string", .string), ("bool", .boolean): return []
    case (_, .string(let word)) where type.hasPrefix("("):
      return words(type).contains(word) ? [] : ["\(place) can't be \(word)"]
    case (_, .object(let members)):
      guard let declared = types[type] else { return ["\(place): there is no type \(type)"] }
      return Set(declared.keys).symmetricDifference(members.map(\.name)).map { "\(place).\($0) isn't in both" }
        + members.flatMap { problems($0.value, declared[$0.name] ?? "?", at: "\(place).\($0.name)") }
    default: return ["\(place) isn't \(type)"]
    }
  }

  func words(_ type: String) -> [String] {
    type.drop { "?[](".contains($0) }.dropLast().split(separator: ",").map { $0.filter { $0 != " " } }
  }
}

@Suite("The types of the interface")
struct InterfaceTests {
  private let declared = Declarations()

  private static let verdict = ReloadVerdict(
    generation: 1, succeeded: false, message: "", lastWords: [""], ended: 1, dropped: 1, peakQueue: 1, queueLimit: 1,
    queueListener: "")
  private static let worker = ServiceStatus.Worker(
    pid: 1, slot: 0, generation: 1, role: .current, state: .ready, started: 1, restarts: 0, memoryBytes: 1,
    cpuMilliseconds: 1, status: "", millisecondsLeft: 1, accepts: true, connections: 1, peers: [""], looked: 1)
  private static let waiting = ServiceStatus.Waiting(slot: 0, reason: "", lastWords: [""], millisecondsLeft: 1)
  private static let obstacle = ServiceStatus.Obstacle(generation: 1, reason: "")
  private static let listener = ServiceStatus.Listener(
    name: "", address: "", queued: 1, limit: 1, peak: 1, dropped: 1, unreachable: "")
  private static let outsider = ServiceStatus.Outsider(pid: 1, name: "", listeners: [""])
  private static let metrics = ServiceStatus.Metrics(address: "", obstacle: "", millisecondsLeft: 1)

  /// One of each with all that it may have, and one with as little as possible.
  private static let values: [(type: String, full: any Message, bare: any Message)] = [
    (
      "Service",
      ServiceStatus(
        name: "", pid: 1, version: "", phase: .serving, condition: .whole, trouble: "", generation: 1, candidate: 1,
        workersWanted: 1, started: 1, divergence: .fellBack, waiting: [waiting], workers: [worker],
        obstacles: [obstacle], listeners: [listener], outsiders: [outsider], metrics: metrics, sawAllProcesses: true,
        lastReload: verdict),
      ServiceStatus(
        name: "", pid: 1, version: "", phase: .serving, condition: .whole, trouble: nil, generation: 1, candidate: nil,
        workersWanted: 1, started: 1, divergence: nil, waiting: [], workers: [], obstacles: [], listeners: [],
        outsiders: [], metrics: nil, sawAllProcesses: nil, lastReload: nil)
    ),
    (
      "Worker", worker,
      ServiceStatus.Worker(
        pid: 1, slot: 0, generation: 1, role: .current, state: .ready, started: 1, restarts: 0, memoryBytes: nil,
        cpuMilliseconds: nil, status: nil, millisecondsLeft: nil, accepts: nil, connections: nil, peers: [],
        looked: nil)
    ),
    ("Waiting", waiting, ServiceStatus.Waiting(slot: 0, reason: nil, lastWords: [], millisecondsLeft: nil)),
    ("Obstacle", obstacle, obstacle),
    (
      "Listener", listener,
      ServiceStatus.Listener(
        name: "", address: "", queued: nil, limit: nil, peak: 1, dropped: nil, unreachable: nil)
    ),
    ("Outsider", outsider, outsider), ("Metrics", metrics, ServiceStatus.Metrics(address: "", obstacle: nil)),
    (
      "Verdict", verdict,
      ReloadVerdict(
        generation: 1, succeeded: true, message: "", lastWords: [], ended: 1, dropped: nil, peakQueue: nil,
        queueLimit: nil, queueListener: nil)
    ),
    (
      "Event", ServiceEvent(.upgraded, .info, "", generation: 1, slot: 0, pid: 1, at: 1),
      ServiceEvent(.upgraded, .info, "", at: 1)
    ),
    (
      "Entry",
      HistoryReport.Entry(
        generation: 1, recordOf: 1, directory: "", command: [""], began: 1, verdict: .served, reason: "", serves: 1,
        ended: 1, end: "", proved: true, canComeBack: true),
      HistoryReport.Entry(
        generation: 1, recordOf: nil, directory: "", command: [], began: 1, verdict: .starting, reason: nil,
        serves: nil, ended: nil, end: nil, proved: false, canComeBack: false)
    ),
    (
      "Output", LastOutput(pid: 1, slot: 0, generation: 1, hasExited: true, lines: [""]),
      LastOutput(pid: 1, slot: 0, generation: 1, hasExited: false, lines: nil)
    ),
  ]

  @Test("What is answered is what the interface declares, null where that may be, and is read as what it was")
  func declarations() throws {
    #expect(Self.values.map(\.type).sorted() == declared.types.keys.sorted())
    for (type, full, bare) in Self.values {
      #expect(Self.nulls(full) == [])
      #expect(Self.nulls(bare) == declared.types[type, default: [:]].filter { $0.value.hasPrefix("?") }.keys.sorted())
      for value in [full, bare] {
        #expect(declared.problems(JSON(of: value), type, at: type) == [])
        #expect(try Self.isReadAgain(value), "\(type)")
      }
    }
  }

  private static func nulls(_ value: any Message) -> [String] {
    guard case .object(let members) = JSON(of: value) else { return ["no object"] }
    return members.filter { $0.value == .null }.map(\.name).sorted()
  }

  private static func isReadAgain<T: Message>(_ value: T) throws -> Bool {
    try JSON(parsing: Array(JSON(of: value).text.utf8)).decode(T.self) == value
  }

  @Test("The words that the interface declares are those that can be said")
  func words() {
    func check<Word: CaseIterable & RawRepresentable<String>>(_ type: String, _ member: String, _: Word.Type) {
      #expect(declared.words(declared.types[type]?[member] ?? "") == Word.allCases.map(\.rawValue))
    }
    check("Service", "phase", ServicePhase.self)
    check("Service", "condition", Condition.self)
    check("Service", "divergence", ServiceStatus.Divergence.self)
    check("Worker", "role", ServiceStatus.Worker.Role.self)
    check("Worker", "state", ServiceStatus.Worker.State.self)
    check("Event", "level", ServiceEvent.Level.self)
    check("Entry", "verdict", HistoryReport.Verdict.self)
  }

  @Test("What a former version says is understood, and so are words that only a later one has")
  func others() throws {
    let text = #"""
      {"name":"web","pid":7,"version":"0.1.0","phase":"hibernating","generation":3,"candidate":null,"workersWanted":1,
      "started":9,"workers":[
      {"pid":8,"slot":0,"generation":3,"role":"current","state":"dreaming","started":9,"restarts":0}],
      "listeners":[{"name":"http","address":"*:80","queued":null,"limit":null,"peak":0}],"dreams":[],
      "lastReload":{"generation":3,"succeeded":false,"message":"no","lastWords":[],"ended":1}}
      """#
    let status = try JSON(parsing: Array(text.utf8)).decode(ServiceStatus.self)
    #expect(status.phase.rawValue == "hibernating" && status.phase.known == nil && status.condition == nil)
    let worker = try #require(status.workers.first)
    #expect(worker.role == .current && worker.state.rawValue == "dreaming" && worker.state.known == nil)
    #expect(status.waiting == nil && status.lastReload?.succeeded == false)
  }
}
