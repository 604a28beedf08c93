import RoostJSON
import RoostMetrics

/// How a state of one format becomes one of the next.
extension StateFormat {
  /// Format 3 brought separate listeners for each generation, sockets for each slot, metrics, placeholders and probes.
  static func from2(_ state: JSON) -> JSON {
    let listeners = (state["running"]?["listeners"]?.elements ?? []).map { listener($0) }
    return
      state
      .changing("configuration") { configuration in
        configuration.adding(["metrics": .null])
          .changing("listeners") { $0.mapping { $0.adding(["reuseport": .null]) } }
          .changing("worker", worker).changing("settings", settings)
      }
      .changing("running") { running in
        running.adding([
          "inherited": [], "heldDrains": [], "counters": (try? JSON(encoding: ServiceCounters())) ?? .null,
          "probes": [], "spoken": [],
        ])
        .changing("listeners") { _ in .array(listeners) }
        .changing("releases") { $0.mapping { release($0, listeners) } }
        .changing("supervisor") { supervisor in
          supervisor.changing("settings", settings)
            .changing("phase") { $0.changing("reloading") { $0.changing("_0") { $0.changing("settings", settings) } } }
        }
      }
  }

  private static func settings(_ settings: JSON) -> JSON {
    settings.adding(["queuePerSlot": false, "probeTimeout": .null])
  }

  private static func worker(_ worker: JSON) -> JSON {
    worker.adding(["argumentTemplates": [], "variableTemplates": [], "compatibility": [], "probe": .null])
  }

  private static func listener(_ listener: JSON) -> JSON {
    listener.adding([
      "storedNames": [], "isRetired": false, "further": [], "steered": [],
      "queue": ["peak": listener["peakQueue"] ?? 0, "droppedBeforeReload": 0, "counts": []],
    ])
    .changing("configuration") { $0.adding(["reuseport": .null]) }
  }

  /// Every generation had all listeners.
  private static func release(_ release: JSON, _ listeners: [JSON]) -> JSON {
    release.changing("configuration", worker)
      .adding([
        "listeners": .array(
          listeners.enumerated().map { ["configuration": $1["configuration"] ?? .null, "index": .integer($0)] })
      ])
  }
}

extension StateFormat {
  /// Format 4 distinguishes a stop at once from one that waits, and counts workers that recycle themselves.
  static func from3(_ state: JSON) -> JSON {
    state.changing("running") { running in
      running.changing("supervisor") { $0.changing("phase", stop) }
        .changing("counters") { $0.adding(["workersRecycled": 0]) }
    }
  }

  private static func stop(_ phase: JSON) -> JSON {
    phase.changing("stopping") { $0.changing("_0") { ["verdict": $0, "isAtOnce": false] } }
  }
}

extension StateFormat {
  /// Format 5 knows what has served: generations prove themselves, and what served last can come back.
  static func from4(_ state: JSON) -> JSON {
    let added: JSON = ["startLimit": .null, "fallsBack": true, "rollsBack": false]
    let settings = { @Sendable (settings: JSON) in
      settings.adding(added).adding(["probation": (try? JSON(encoding: Duration.seconds(60))) ?? .null])
    }
    let listener = { @Sendable (listener: JSON) in listener.adding(["freebind": false]) }
    return
      state
      .changing("configuration") { configuration in
        configuration.adding(["history": .null]).changing("listeners") { $0.mapping(listener) }
          .changing("settings") { $0.adding(added).adding(["probation": 60_000]) }
      }
      .changing("running") { running in
        running.changing("listeners") { $0.mapping { $0.changing("configuration", listener) } }
          .changing("releases") { releases in
            releases.mapping { $0.changing("listeners") { $0.mapping { $0.changing("configuration", listener) } } }
          }
          .changing("counters") { counters in
            counters.adding(["fallbacks": 0, "crashLoops": 0])
              .changing("workersLost") { $0.adding(["cancelled": 0]) }
              .changing("reloadsFailed") { $0.adding(["cancelled": 0]) }
          }
          .changing("supervisor") { supervisor in
            supervisor.adding(["servingOrigin": configured, "slotsAtStart": 1]).changing("settings", settings)
              .changing("phase") { phase in
                phase.changing("starting") { $0.changing("_0", start) }
                  .changing("reloading") { $0.changing("_0") { reload($0).changing("settings", settings) } }
              }
          }
      }
  }

  private static let configured: JSON = ["configuration": [:]]

  private static func start(_ start: JSON) -> JSON {
    start.changing("latched", latched).adding([
      "stage": ["startingWorkers": [:]], "failures": 0, "hasFallenBackInVain": false,
    ])
  }

  private static func reload(_ reload: JSON) -> JSON {
    reload.changing("latched", latched).adding(["origin": configured])
  }

  private static func latched(_ latched: JSON) -> JSON { latched == true ? configured : .null }
}

extension StateFormat {
  /// Format 6 knows the purpose for which a worker was started, and has the settings of each generation. A clock that
  /// stands still has replaced postponed deadlines. The verdict of the last reload is as clients get it.
  static func from5(_ state: JSON) -> JSON {
    state.changing("running") { running in
      let held = running["heldDrains"]?.elements ?? []
      return
        running.adding(["clock": ["stoodStill": duration(.zero)]])
        .changing("supervisor") { supervisor($0, held) }
        .changing("lastReload", verdict)
    }
  }

  private static func verdict(_ former: JSON) -> JSON {
    let (evidence, peak) = (former["evidence"], former["evidence"]?["peak"])
    return former.removing("evidence").adding([
      "dropped": evidence?["dropped"] ?? .null, "peakQueue": peak?["queued"] ?? .null,
      "queueLimit": peak?["limit"] ?? .null, "queueListener": peak?["listener"] ?? .null,
    ])
  }

  private static func duration(_ duration: Duration) -> JSON { (try? JSON(encoding: duration)) ?? .null }

  private static func supervisor(_ former: JSON, _ held: [JSON]) -> JSON {
    let settings = flat(former["settings"] ?? .null)
    let reload = former["phase"]?["reloading"]?["_0"]
    var generations = [former["serving"] ?? .null, settings]
    if let reload { generations += [reload["generation"] ?? .null, flat(reload["settings"] ?? .null)] }
    let desired = former["desiredWorkers"] ?? 1
    return
      former.adding([
        "generations": .array(generations), "workers": reload?["workersBefore"].flatMap(\.number) ?? desired,
        "configuredWorkers": settings["workers"] ?? 1, "leavesQueues": true,
      ])
      .changing("slots") { slots in
        let settles = reload?["stage"]?["settling"]?["until"]
        let successor: JSON = former["phase"]?["starting"] == nil ? "lost" : "start"
        return .array(
          slots.elements.enumerated().map { index, former in
            let isAdded = if case .integer(let count) = reload?["workersBefore"] { index >= count } else { false }
            return slot(
              isAdded ? former.changing("current") { $0.renaming("vacant", to: "added") { $0 } } : former, settles,
              successor)
          })
      }
      .changing("retirees") { $0.mapping { retiree($0, former["settings"] ?? .null, held) } }
      .changing("phase") { phase in
        phase.changing("reloading") { $0.changing("_0") { $0.adding(["workers": desired]).changing("stage", batch) } }
      }
  }

  /// Settings as a configuration has them: in whole milliseconds.
  private static func flat(_ former: JSON) -> JSON {
    func time(_ duration: JSON?) -> JSON {
      (try? duration?.decode(Duration.self)).map { .integer($0.wholeMilliseconds) } ?? .null
    }
    let times = ["probeTimeout", "startLimit", "probation", "settle", "drainTimeout", "hookTimeout"]
    let (readiness, backoff, hooks) = (former["readiness"], former["backoff"], former["hooks"]?.elements ?? [])
    return times.reduce(former) { $0.changing($1, time) }.changing("readiness") { _ in
      if let age = readiness?["alive"] {
        ["age": time(age["after"])]
      } else {
        ["timeout": time(readiness?["reported"]?["timeout"])]
      }
    }.adding([
      "backoffFirst": time(backoff?["first"]), "backoffLongest": time(backoff?["longest"]),
      "backoffForgivenAfter": time(backoff?["forgivenAfter"]),
      "beforeReload": .boolean(hooks.contains("before-reload")),
      "afterTakeover": .boolean(hooks.contains("after-takeover")),
    ])
  }

  private static func slot(_ former: JSON, _ settles: JSON?, _ successor: JSON) -> JSON {
    former.adding(["waits": former["failures"].flatMap(\.number) ?? 0])
      .changing("current") { current in
        current.changing("worker") { $0.changing("_0") { worker($0, successor) } }
          .renaming("backingOff", to: "waiting") { $0.adding(["_1": successor]) }
      }
      .changing("candidate") { candidate in
        worker(candidate, "reload").changing("stage") { stage in
          guard let settles else { return stage }
          return stage.renaming("ready", to: "settling") { $0.adding(["until": settles]) }
        }
      }
  }

  private static func worker(_ former: JSON, _ purpose: JSON) -> JSON {
    former.removing("stops").adding(["purpose": purpose, "stops": former["stops"].flatMap(\.number) ?? 0])
  }

  /// One that hadn't been told yet was counted as told. It is told as soon as it would have been.
  private static func retiree(_ former: JSON, _ settings: JSON, _ held: [JSON]) -> JSON {
    former.adding(["timeout": settings["drainTimeout"] ?? duration(.seconds(60))])
      .changing("stage") { stage in
        guard let held = held.first(where: { $0["worker"] == former["id"] }) else { return stage }
        return stage.renaming("draining", to: "emptying") { $0.changing("until") { held["until"] ?? $0 } }
      }
  }

  private static func batch(_ stage: JSON) -> JSON {
    for name in ["starting", "settling"] {
      if let batch = stage[name]?["batch"] { return ["replacing": ["_0": batch]] }
    }
    return stage
  }
}

extension JSON {
  fileprivate var elements: [JSON] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }

  fileprivate func mapping(_ change: (JSON) -> JSON) -> JSON { .array(elements.map(change)) }

  /// With these members too, unless it has them.
  fileprivate func adding(_ added: JSON) -> JSON {
    guard case .object(let members) = self, case .object(let added) = added else { return self }
    return .object(members + added.filter { self[$0.name] == nil })
  }

  /// nil if it isn't an integer.
  fileprivate var number: JSON? {
    if case .integer = self { self } else { nil }
  }

  fileprivate func removing(_ name: String) -> JSON {
    guard case .object(let members) = self else { return self }
    return .object(members.filter { $0.name != name })
  }

  /// With another name and value for the member of this name, if there is one.
  fileprivate func renaming(_ name: String, to other: String, _ change: (JSON) -> JSON) -> JSON {
    guard case .object(let members) = self else { return self }
    return .object(members.map { $0.name == name ? Member(other, change($0.value)) : $0 })
  }

  /// With another value for the member of this name, if there is one.
  fileprivate func changing(_ name: String, _ change: (JSON) -> JSON) -> JSON {
    guard case .object(let members) = self else { return self }
    return .object(members.map { $0.name == name ? Member(name, change($0.value)) : $0 })
  }
}
