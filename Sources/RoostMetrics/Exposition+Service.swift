import RoostCore

extension ServiceSnapshot {
  /// The metrics of the service (docs/metrics.md).
  package func text(_ format: Exposition.Format) -> String {
    var out = Exposition(format, common: [("service", service)])
    writeService(&out)
    writeWorkers(&out)
    writeReloads(&out)
    writeListeners(&out)
    writeUsage(&out)
    out.end()
    return out.text
  }

  private func writeService(_ out: inout Exposition) {
    out.begin("roost_build", .info, "The version of the master.")
    out.add(1, [("version", version)])
    out.begin("roost_start_time_seconds", .gauge, unit: "seconds", "When the service was started, since 1970.")
    out.add(started)
    out.begin("roost_phase", .stateSet, "What the service is doing as a whole.")
    for phase in ServicePhase.allCases { out.add(phase == self.phase ? 1 : 0, [("roost_phase", phase.rawValue)]) }
    out.begin(
      "roost_diverged", .gauge,
      "Whether what serves isn't what the configuration names: 1 after a failed reload, a fallback or a rollback."
    )
    out.add(isDiverged ? 1 : 0)
    out.begin("roost_fallbacks", .counter, "Starts that continued with the last good release.")
    out.add(counters.fallbacks)
    out.begin("roost_crash_loops", .counter, "Generations whose workers kept failing while they were on probation.")
    out.add(counters.crashLoops)
    out.begin("roost_generation", .gauge, "The generation that serves.")
    out.add(generation)
  }

  private func writeWorkers(_ out: inout Exposition) {
    out.begin("roost_workers_wanted", .gauge, "How many workers are wanted.")
    out.add(workersWanted)
    out.begin("roost_workers", .gauge, "How many workers there are.")
    for (role, census) in [("current", current), ("candidate", candidates)] {
      out.add(census.ready, [("role", role), ("state", "ready")])
      out.add(census.starting, [("role", role), ("state", "starting")])
      out.add(census.stopped, [("role", role), ("state", "stopped")])
    }
    out.add(retirees, [("role", "retiree"), ("state", "draining")])
    out.begin("roost_retirees_accepting", .gauge, "Retirees that were seen to still accept connections.")
    out.add(retireesAccepting)
    out.begin("roost_workers_started", .counter, "Workers that ran their command.")
    out.add(counters.workersStarted)
    out.begin("roost_workers_ready", .counter, "Workers that got ready.")
    out.add(counters.workersReady)
    out.begin("roost_workers_lost", .counter, "Current workers that were lost, by cause.")
    // The other causes are those of a reload.
    for cause in [ServiceCounters.Cause.exited, .signalled, .notReady, .probeFailed, .notStarted] {
      out.add(counters.workersLost[cause] ?? 0, [("cause", cause.rawValue)])
    }
    out.begin("roost_workers_recycled", .counter, "Current workers that have ended on their own with status 0.")
    out.add(counters.workersRecycled)
    out.begin(
      "roost_slot_restarts", .counter, "Current workers of the slot that were lost, or have recycled themselves.")
    for (slot, count) in restarts.enumerated() { out.add(count, [("slot", "\(slot)")]) }
    out.begin("roost_drains", .counter, "Retirees that have exited.")
    out.add(counters.drains)
    out.begin("roost_drains_timed_out", .counter, "Retirees that were killed because their drain timeout was over.")
    out.add(counters.drainsTimedOut)
  }

  private func writeReloads(_ out: inout Exposition) {
    out.begin("roost_reloads", .counter, "Reloads that have ended, by result.")
    out.add(counters.succeeded.count, [("result", "succeeded")])
    out.add(counters.failed.count, [("result", "failed")])
    out.begin("roost_reload_failures", .counter, "Reloads that have failed, by cause.")
    for cause in ServiceCounters.Cause.allCases {
      out.add(counters.reloadsFailed[cause] ?? 0, [("cause", cause.rawValue)])
    }
    out.begin("roost_reload_duration_seconds", .histogram, unit: "seconds", "How long reloads took, by result.")
    write(counters.succeeded, "succeeded", &out)
    write(counters.failed, "failed", &out)
    if let last = counters.lastReload {
      out.begin("roost_last_reload_succeeded", .gauge, "Whether the last reload succeeded.")
      out.add(last.succeeded ? 1 : 0)
      out.begin("roost_last_reload_time_seconds", .gauge, unit: "seconds", "When the last reload ended, since 1970.")
      out.add(Exposition.seconds(last.ended))
      out.begin("roost_last_reload_duration_seconds", .gauge, unit: "seconds", "How long the last reload took.")
      out.add(Exposition.seconds(last.microseconds))
    }
    if let lastSuccess = counters.lastSuccess {
      out.begin(
        "roost_last_successful_reload_time_seconds", .gauge, unit: "seconds",
        "When a reload last succeeded, since 1970.")
      out.add(Exposition.seconds(lastSuccess))
    }
    if let lastReloadDropped {
      out.begin("roost_last_reload_dropped", .gauge, "Connection requests dropped during the last reload.")
      out.add(lastReloadDropped)
    }
    if let lastReloadPeak {
      out.begin("roost_last_reload_queue_peak", .gauge, "The most connections seen waiting during the last reload.")
      out.add(lastReloadPeak)
    }
  }

  private func write(_ histogram: DurationHistogram, _ result: String, _ out: inout Exposition) {
    var count = 0
    for (index, bucket) in histogram.buckets.enumerated() {
      count += bucket
      let bounds = DurationHistogram.bounds
      let bound = index < bounds.count ? Exposition.seconds(bounds[index]) : "+Inf"
      out.add(count, suffix: "_bucket", [("result", result), ("le", bound)])
    }
    out.add(histogram.count, suffix: "_count", [("result", result)])
    out.add(Exposition.seconds(histogram.sum), suffix: "_sum", [("result", result)])
  }

  private func writeListeners(_ out: inout Exposition) {
    func write(_ name: String, _ kind: Exposition.Kind, _ help: String, _ value: (Listener) -> Int?) {
      // A family without samples says nothing.
      guard listeners.contains(where: { value($0) != nil }) else { return }
      out.begin(name, kind, help)
      for listener in listeners {
        guard let number = value(listener) else { continue }
        out.add(number, [("listener", listener.name), ("address", listener.address)])
      }
    }
    write("roost_listener_queue_length", .gauge, "Connections that wait to be accepted.") { $0.queued }
    write("roost_listener_queue_limit", .gauge, "How many connections can wait.") { $0.limit }
    write("roost_listener_queue_peak", .gauge, "The most connections that were seen waiting.") { $0.peak }
    write("roost_listener_dropped", .counter, "Connection requests dropped because the queue was full.") { $0.dropped }
    write("roost_listener_reachable", .gauge, "Whether clients get to it: 0 if a unix socket's file is gone.") {
      $0.isReachable ? 1 : 0
    }
  }

  private func writeUsage(_ out: inout Exposition) {
    func labels(_ worker: Worker) -> [Exposition.Label] {
      [("slot", "\(worker.slot)"), ("generation", "\(worker.generation)")]
    }
    if !workers.isEmpty {
      out.begin("roost_worker_memory_bytes", .gauge, unit: "bytes", "Resident memory, descendants included.")
      for worker in workers { out.add(worker.memoryBytes, labels(worker)) }
      out.begin("roost_worker_cpu_seconds", .counter, unit: "seconds", "Processor time, descendants included.")
      for worker in workers {
        out.add(Exposition.seconds(worker.cpuMilliseconds * 1000), labels(worker))
      }
    }
    out.begin("roost_retirees_memory_bytes", .gauge, unit: "bytes", "Resident memory of all retirees together.")
    out.add(retireesMemoryBytes)
  }
}
