extension Supervisor {
  mutating func scaleRequested(by change: Int, at now: Instant) {
    // Bounded before it is added, too: no sum overflows.
    let most = Settings.maximumWorkers
    workersRequested(min(max(desiredWorkers + min(max(change, -most), most), 1), most), at: now)
  }

  mutating func workersRequested(_ wanted: Int, at now: Instant) {
    precondition((1...Settings.maximumWorkers).contains(wanted), "the number of workers wasn't validated")
    switch phase {
    case .starting, .serving, .reloading: break
    case .idle, .stopping, .stopped: return
    }
    guard wanted != desiredWorkers else { return order(.report(.scaleRefused(at: desiredWorkers))) }
    let scaled = (from: desiredWorkers, to: wanted)
    desiredWorkers = wanted
    switch phase {
    case .starting: order(.report(.scaled(from: scaled.from, to: scaled.to, latched: .start)))
    case .reloading: order(.report(.scaled(from: scaled.from, to: scaled.to, latched: .reload)))
    case .serving, .idle, .stopping, .stopped:
      order(.report(.scaled(from: scaled.from, to: scaled.to, latched: nil)))
      scaleToDesired(at: now)
    }
  }

  mutating func scaleToDesired(at now: Instant) {
    while slots.count < desiredWorkers {
      let worker = spawn(slot: slots.count, generation: serving, settings, at: now)
      slots.append(Slot(current: .worker(worker)))
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
}
