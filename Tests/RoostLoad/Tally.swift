import RoostJSON

/// What one client, or all together, have seen. Exact: a request is counted once, as answered or as failed.
struct Tally {
  var keptAlive = 0
  var new = 0
  var connections = 0
  /// Connections that the server closed while no request was on its way.
  var idleCloses = 0
  var slowestMilliseconds = 0
  var failures: [String: Int] = [:]
  var generations: [String: Int] = [:]
  var pids: [String: Int] = [:]

  var failureCount: Int { failures.values.reduce(0, +) }

  mutating func add(_ other: Tally) {
    keptAlive += other.keptAlive
    new += other.new
    connections += other.connections
    idleCloses += other.idleCloses
    slowestMilliseconds = max(slowestMilliseconds, other.slowestMilliseconds)
    failures.merge(other.failures, uniquingKeysWith: +)
    generations.merge(other.generations, uniquingKeysWith: +)
    pids.merge(other.pids, uniquingKeysWith: +)
  }

  var json: JSON {
    [
      "requests": .integer(keptAlive + new),
      "failures": .integer(failureCount),
      "keptAlive": .integer(keptAlive),
      "new": .integer(new),
      "connections": .integer(connections),
      "idleCloses": .integer(idleCloses),
      "slowestMilliseconds": .integer(slowestMilliseconds),
      "generations": Self.counts(generations),
      "pids": Self.counts(pids),
      "failureReasons": Self.counts(failures),
    ]
  }

  private static func counts(_ counts: [String: Int]) -> JSON {
    .object(counts.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .integer($0.value)) })
  }
}
