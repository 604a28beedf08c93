/// A deadline is there to give up who takes too long. Where nothing ran, as in a virtual machine that is paused or moved,
/// nobody took too long: a retiree killed for that would take requests with it.
extension Supervisor {
  /// Puts off by this time all deadlines of workers, hooks and the reload. Restarts that are waited for aren't, nor is
  /// what systemd is told.
  mutating func stalled(for missed: Duration) {
    order(.report(.stalled(missed)))
    for index in slots.indices { slots[index].putOff(by: missed) }
    for index in retirees.indices { retirees[index].putOff(by: missed) }
    for index in hooks.indices { hooks[index].deadline = hooks[index].deadline + missed }
    switch phase {
    case .starting(var start):
      start.putOff(by: missed)
      phase = .starting(start)
    case .reloading(var reload):
      reload.putOff(by: missed)
      reload.start?.putOff(by: missed)
      phase = .reloading(reload)
    case .idle, .serving, .stopping, .stopped: break
    }
    // It has served nobody meanwhile.
    if let until = probation?.until { probation?.until = until + missed }
  }
}

extension Slot {
  fileprivate mutating func putOff(by missed: Duration) {
    switch current {
    case .worker(var worker):
      worker.putOff(by: missed)
      current = .worker(worker)
    case .vacant, .backingOff: break
    }
    candidate?.putOff(by: missed)
    if let time = emptyBy { emptyBy = time + missed }
  }
}

extension Worker {
  fileprivate mutating func putOff(by missed: Duration) {
    switch stage {
    case .starting(let until): stage = .starting(until: until + missed)
    case .aging(let until): stage = .aging(until: until + missed)
    case .probing(let until): stage = .probing(until: until + missed)
    case .ready: break
    }
  }
}

extension Retiree {
  fileprivate mutating func putOff(by missed: Duration) {
    switch stage {
    case .draining(let until): stage = .draining(until: until + missed)
    case .remains(let until): stage = .remains(until: until + missed)
    case .killed: break
    }
  }
}

extension Start {
  fileprivate mutating func putOff(by missed: Duration) {
    if let time = limit { limit = time + missed }
    switch stage {
    case .preparing(let generation, let until): stage = .preparing(generation, until: until + missed)
    case .awaitingListeners, .startingWorkers: break
    }
  }
}

extension Reload {
  fileprivate mutating func putOff(by missed: Duration) {
    switch stage {
    case .preparing(let until): stage = .preparing(until: until + missed)
    case .settling(let batch, let until): stage = .settling(batch: batch, until: until + missed)
    case .awaitingHook, .starting: break
    }
  }
}
