import RoostJSON
import RoostMetrics

/// How a state of one format becomes one of the next.
extension StateFormat {
  /// Format 3 brought listeners of a generation's own, sockets for each slot, metrics, placeholders and probes.
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
          "inherited": [], "heldDrains": [], "counters": ServiceCounters().json, "probes": [], "spoken": [],
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
  /// Format 4 tells a stop at once from one that waits, and counts workers that recycle themselves.
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
    return
      state
      .changing("configuration") { configuration in
        configuration.adding(["history": .null])
          .changing("settings") { $0.adding(added).adding(["probation": 60_000]) }
      }
      .changing("running") { running in
        running.changing("counters") { counters in
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

  /// With another value of this name, if it has one.
  fileprivate func changing(_ name: String, _ change: (JSON) -> JSON) -> JSON {
    guard case .object(let members) = self else { return self }
    return .object(members.map { $0.name == name ? Member(name, change($0.value)) : $0 })
  }
}
