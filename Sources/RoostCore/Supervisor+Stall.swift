/// A deadline is there to give up who takes too long. Where nothing ran, as in a virtual machine that is moved or saved,
/// nobody took too long: a retiree killed for that would take requests with it.
extension Supervisor {
  /// Nobody waits longer than this for who may hang after all.
  private static let longestExtension = Duration.seconds(60)

  /// Puts off what would be given up: to at least as long from now as the deadline was missed by.
  mutating func stalled(for missed: Duration, at now: Instant) {
    order(.report(.stalled(missed)))
    let until = now + min(missed, Self.longestExtension)
    for index in slots.indices { slots[index].putOff(to: until) }
    for index in retirees.indices { retirees[index].putOff(to: until) }
    for index in hooks.indices { hooks[index].deadline = max(hooks[index].deadline, until) }
    switch phase {
    case .reloading(var reload):
      reload.putOff(to: until)
      phase = .reloading(reload)
    case .idle, .starting, .serving, .stopping, .stopped: break
    }
  }
}

extension Slot {
  fileprivate mutating func putOff(to wanted: Instant) {
    switch current {
    case .worker(var worker):
      worker.putOff(to: wanted)
      current = .worker(worker)
    case .vacant, .backingOff: break
    }
    candidate?.putOff(to: wanted)
    if let time = emptyBy { emptyBy = max(time, wanted) }
  }
}

extension Worker {
  fileprivate mutating func putOff(to wanted: Instant) {
    switch stage {
    case .starting(let until): stage = .starting(until: max(until, wanted))
    case .aging(let until): stage = .aging(until: max(until, wanted))
    case .probing(let until): stage = .probing(until: max(until, wanted))
    case .ready: break
    }
  }
}

extension Retiree {
  fileprivate mutating func putOff(to wanted: Instant) {
    switch stage {
    case .draining(let until): stage = .draining(until: max(until, wanted))
    case .remains(let until): stage = .remains(until: max(until, wanted))
    case .killed: break
    }
  }
}

extension Reload {
  fileprivate mutating func putOff(to wanted: Instant) {
    switch stage {
    case .preparing(let until): stage = .preparing(until: max(until, wanted))
    case .settling(let batch, let until): stage = .settling(batch: batch, until: max(until, wanted))
    case .awaitingHook, .starting: break
    }
  }
}
