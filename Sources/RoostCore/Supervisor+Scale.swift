extension Supervisor {
  /// How many slots are wanted, once no start and no reload is running.
  package var desiredWorkers: Int {
    if case .reloading(let reload) = phase { reload.workers } else { workers }
  }

  mutating func scaleRequested(by change: Int, at now: Instant) {
    // Bounded before it is added, too: no sum overflows.
    let most = Settings.maximumWorkers
    workersRequested(Settings.validWorkers(desiredWorkers + min(max(change, -most), most)), at: now)
  }

  mutating func workersRequested(_ wanted: Int, at now: Instant) {
    precondition((1...Settings.maximumWorkers).contains(wanted), "the number of workers wasn't validated")
    let before = desiredWorkers
    let latch: Latch?
    switch phase {
    case .starting: latch = .start
    case .serving: latch = nil
    case .reloading: latch = .reload
    case .idle, .stopping, .stopped: return
    }
    guard wanted != before else { return report(.scaleRefused(at: before)) }
    // If a reload brings its own number and fails, the change stays.
    workers = Settings.validWorkers(workers + wanted - before)
    if case .reloading(var reload) = phase {
      reload.workers = wanted
      phase = .reloading(reload)
    }
    report(.scaled(from: before, to: wanted, latched: latch))
    if latch == nil { scaleToDesired(at: now) }
  }

  mutating func scaleToDesired(at now: Instant) {
    while slots.count < desiredWorkers {
      slots.append(Slot(.added))
      fill(slots.count - 1, for: .scaled, at: now)
    }
    guard settings.queuePerSlot else { return removeSlots(downTo: desiredWorkers, at: now) }
    for index in slots.indices {
      if index < desiredWorkers {
        slots[index].emptyBy = nil
      } else if slots[index].emptyBy == nil {
        slots[index].emptyBy = now + settings.drainTimeout
      }
    }
  }

  /// Another worker is to take the place of the one that serves in this slot, which keeps serving until then.
  mutating func replacementRequested(of index: Int, by requester: Requester, at now: Instant) {
    // A reload brings another anyway, and if no worker serves there is none to be replaced gently.
    guard case .serving = phase, slots.indices.contains(index), slots[index].worker?.isReady == true,
      slots[index].candidate == nil, slots[index].emptyBy == nil
    else { return report(.replacementRefused(slot: index, by: requester)) }
    report(.replacementRequested(slot: index, by: requester))
    fill(index, for: .asked, at: now)
  }
}
