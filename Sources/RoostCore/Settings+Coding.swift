/// The form in which settings are handed over: durations are whole milliseconds.
extension Settings: Codable {
  private enum Key: String, CodingKey {
    case workers, surge, readiness, timeout, age, probeTimeout, startAttempts, startLimit, probation, fallsBack, rollsBack,
      settle, drainTimeout, backoffFirst, backoffLongest, backoffForgivenAfter, restartBurst, restartWindow, beforeReload,
      afterTakeover, hookTimeout, queuePerSlot
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    let readiness = try values.nestedContainer(keyedBy: Key.self, forKey: .readiness)
    self.init(
      workers: try values.decode(Int.self, forKey: .workers), surge: try values.decode(Int.self, forKey: .surge),
      readiness: try readiness.optionalTime(.age).map { .alive(after: $0) }
        ?? .reported(timeout: try readiness.time(.timeout)),
      probeTimeout: try values.optionalTime(.probeTimeout),
      startAttempts: try values.decodeIfPresent(Int.self, forKey: .startAttempts),
      startLimit: try values.optionalTime(.startLimit), probation: try values.time(.probation),
      fallsBack: try values.decode(Bool.self, forKey: .fallsBack),
      rollsBack: try values.decode(Bool.self, forKey: .rollsBack), settle: try values.time(.settle),
      drainTimeout: try values.time(.drainTimeout),
      backoff: Backoff(
        first: try values.time(.backoffFirst), longest: try values.time(.backoffLongest),
        forgivenAfter: try values.time(.backoffForgivenAfter)),
      hookTimeout: try values.time(.hookTimeout), queuePerSlot: try values.decode(Bool.self, forKey: .queuePerSlot))
    // A former version recorded none.
    backoff.burst = try values.decodeIfPresent(Int.self, forKey: .restartBurst) ?? backoff.burst
    backoff.window = try values.optionalTime(.restartWindow) ?? backoff.window
    if try values.decode(Bool.self, forKey: .beforeReload) { hooks.insert(.beforeReload) }
    if try values.decode(Bool.self, forKey: .afterTakeover) { hooks.insert(.afterTakeover) }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(workers, forKey: .workers)
    try values.encode(surge, forKey: .surge)
    var inner = values.nestedContainer(keyedBy: Key.self, forKey: .readiness)
    switch readiness {
    case .reported(let timeout): try inner.encode(timeout.wholeMilliseconds, forKey: .timeout)
    case .alive(let age): try inner.encode(age.wholeMilliseconds, forKey: .age)
    }
    try values.encodeIfPresent(startAttempts, forKey: .startAttempts)
    let times: [(Key, Duration?)] = [
      (.probeTimeout, probeTimeout), (.startLimit, startLimit), (.probation, probation), (.settle, settle),
      (.drainTimeout, drainTimeout), (.backoffFirst, backoff.first), (.backoffLongest, backoff.longest),
      (.backoffForgivenAfter, backoff.forgivenAfter), (.restartWindow, backoff.window), (.hookTimeout, hookTimeout),
    ]
    for (key, time) in times { try values.encodeIfPresent(time?.wholeMilliseconds, forKey: key) }
    let flags: [(Key, Bool)] = [
      (.fallsBack, fallsBack), (.rollsBack, rollsBack), (.beforeReload, hooks.contains(.beforeReload)),
      (.afterTakeover, hooks.contains(.afterTakeover)), (.queuePerSlot, queuePerSlot),
    ]
    for (key, flag) in flags { try values.encode(flag, forKey: key) }
    try values.encode(backoff.burst, forKey: .restartBurst)
  }
}

extension KeyedDecodingContainer {
  fileprivate func time(_ key: Key) throws -> Duration { .milliseconds(try decode(Int.self, forKey: key)) }

  fileprivate func optionalTime(_ key: Key) throws -> Duration? {
    try decodeIfPresent(Int.self, forKey: key).map { .milliseconds($0) }
  }
}
