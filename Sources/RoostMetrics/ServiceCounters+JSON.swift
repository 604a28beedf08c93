import RoostJSON

/// The form in which counters reach a master that takes over.
extension ServiceCounters {
  /// Why JSON can't be taken for counters.
  public struct Malformed: Error, Equatable {
    /// The member that is missing or isn't what it has to be.
    public let member: String

    /// This member is missing or isn't what it has to be.
    public init(member: String) {
      self.member = member
    }
  }

  /// The counters as JSON.
  public var json: JSON {
    [
      "workersStarted": .integer(workersStarted),
      "workersReady": .integer(workersReady),
      "workersLost": Self.json(workersLost),
      "workersRecycled": .integer(workersRecycled),
      "drains": .integer(drains),
      "drainsTimedOut": .integer(drainsTimedOut),
      "reloadsFailed": Self.json(reloadsFailed),
      "fallbacks": .integer(fallbacks),
      "crashLoops": .integer(crashLoops),
      "succeeded": succeeded.json,
      "failed": failed.json,
      "lastReload": lastReload?.json ?? .null,
      "lastSuccess": lastSuccess.map(JSON.integer) ?? .null,
    ]
  }

  /// Reads what `json` wrote.
  public init(json: JSON) throws(Malformed) {
    workersStarted = try json.integer("workersStarted")
    workersReady = try json.integer("workersReady")
    workersLost = try Self.counts(json, "workersLost")
    workersRecycled = try json.integer("workersRecycled")
    drains = try json.integer("drains")
    drainsTimedOut = try json.integer("drainsTimedOut")
    reloadsFailed = try Self.counts(json, "reloadsFailed")
    fallbacks = try json.integer("fallbacks")
    crashLoops = try json.integer("crashLoops")
    succeeded = try DurationHistogram(json: json.member("succeeded"))
    failed = try DurationHistogram(json: json.member("failed"))
    let last = try json.member("lastReload")
    if last != .null { lastReload = try Reload(json: last) }
    if try json.member("lastSuccess") != .null { lastSuccess = try json.integer("lastSuccess") }
  }

  private static func json(_ counts: [Cause: Int]) -> JSON {
    .object(Cause.allCases.map { JSON.Member($0.rawValue, .integer(counts[$0] ?? 0)) })
  }

  private static func counts(_ json: JSON, _ name: String) throws(Malformed) -> [Cause: Int] {
    let object = try json.member(name)
    var counts: [Cause: Int] = [:]
    for cause in Cause.allCases {
      let count = try object.integer(cause.rawValue)
      if count > 0 { counts[cause] = count }
    }
    return counts
  }
}

extension ServiceCounters.Reload {
  fileprivate var json: JSON {
    ["succeeded": .boolean(succeeded), "ended": .integer(ended), "microseconds": .integer(microseconds)]
  }

  fileprivate init(json: JSON) throws(ServiceCounters.Malformed) {
    guard case .boolean(let succeeded) = try json.member("succeeded") else {
      throw ServiceCounters.Malformed(member: "succeeded")
    }
    self.init(
      succeeded: succeeded, ended: try json.integer("ended"), microseconds: try json.integer("microseconds"))
  }
}

extension DurationHistogram {
  fileprivate var json: JSON { ["buckets": .array(buckets.map(JSON.integer)), "sum": .integer(sum)] }

  fileprivate init(json: JSON) throws(ServiceCounters.Malformed) {
    self.init()
    guard case .array(let numbers) = try json.member("buckets"), numbers.count == buckets.count else {
      throw ServiceCounters.Malformed(member: "buckets")
    }
    for (index, number) in numbers.enumerated() {
      guard case .integer(let count) = number else { throw ServiceCounters.Malformed(member: "buckets") }
      buckets[index] = count
    }
    sum = try json.integer("sum")
  }
}

extension JSON {
  fileprivate func member(_ name: String) throws(ServiceCounters.Malformed) -> JSON {
    guard let value = self[name] else { throw ServiceCounters.Malformed(member: name) }
    return value
  }

  fileprivate func integer(_ name: String) throws(ServiceCounters.Malformed) -> Int {
    guard case .integer(let value) = try member(name) else { throw ServiceCounters.Malformed(member: name) }
    return value
  }
}
