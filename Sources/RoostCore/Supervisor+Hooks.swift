extension Supervisor {
  mutating func run(_ hook: Hook, _ generation: Generation, at now: Instant) {
    let deadline = now + settings(of: generation).hookTimeout
    hooks.append(RunningHook(hook: hook, generation: generation, began: now, deadline: deadline))
    report(.hookBegan(hook, generation))
    order(.runHook(hook, generation))
  }

  mutating func hookEnded(_ hook: Hook, _ generation: Generation, _ failure: String?, at now: Instant) {
    // Killed ones are no longer awaited.
    guard let index = hooks.firstIndex(where: { $0.hook == hook && $0.generation == generation }) else { return }
    let ended = hooks.remove(at: index)
    if let failure { return failed(ended, failure, at: now) }
    report(.hookSucceeded(hook, generation, after: now - ended.began))
    switch hook {
    case .beforeReload: startBatch(of: runningReload, at: now)
    case .afterTakeover: break
    }
  }

  private mutating func failed(_ ended: RunningHook, _ reason: String, at now: Instant) {
    switch ended.hook {
    case .beforeReload: failReload(runningReload, .hookFailed(ended.hook, reason: reason), at: now)
    case .afterTakeover: report(.hookFailed(ended.hook, ended.generation, reason: reason))
    }
  }

  mutating func killOverdueHooks(at now: Instant) {
    for overdue in hooks where overdue.deadline <= now {
      hooks.removeAll { $0 == overdue }
      order(.killHook(overdue.hook, overdue.generation))
      failed(overdue, "it took longer than \((overdue.deadline - overdue.began).components.seconds) s", at: now)
    }
  }

  /// The reload of this generation doesn't continue.
  mutating func killHook(_ hook: Hook, _ generation: Generation) {
    hooks.removeAll { $0.hook == hook && $0.generation == generation }
    order(.killHook(hook, generation))
  }

  mutating func killAllHooks() {
    for running in hooks { order(.killHook(running.hook, running.generation)) }
    hooks.removeAll()
  }
}
