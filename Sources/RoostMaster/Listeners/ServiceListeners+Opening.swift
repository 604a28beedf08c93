import RoostConfiguration

/// How a list of listeners comes about: those that are open and stay, those that systemd has passed, and new ones.
extension ServiceListeners {
  /// What is wanted, in its order. If one can't be opened, those that were opened are closed again, unless the handler
  /// keeps them.
  static func passed(
    for wanted: [ListenerConfiguration], beside open: [Listener], _ adoption: inout Adoption,
    keepingOpened opened: ([Listener]) -> Void? = { _ in nil }
  ) throws(MasterError) -> [PassedListener] {
    // One whose file is gone lets no client in: another is opened in its place, for the new generation. The former one
    // serves what waits in its queue.
    let staying = open.filter { !$0.isRetired && $0.obstacle == nil }
    let plan: ListenerPlan
    do {
      plan = try ListenerPlan(open: staying.map(\.configuration), wanted: wanted)
    } catch {
      throw MasterError(error.description)
    }
    let reserved = wanted.compactMap(\.address.nameInSystemd)
    var passed: [[Listener]] = []
    var added: [Listener] = []
    do throws(MasterError) {
      for (step, wanted) in zip(plan.steps, wanted) {
        switch step {
        case .keep(let indices): passed.append(indices.map { staying[$0] })
        case .open:
          passed.append(try adoption.take(for: wanted, reserved: reserved))
          added += passed[passed.count - 1]
        }
      }
      let hidden = adoption.hideStored()
      var failure: MasterError?
      for (index, wanted) in wanted.enumerated() where passed[index].isEmpty {
        do throws(MasterError) {
          passed[index] = [try Listener.open(wanted, beside: open + added, hidden)]
          added += passed[index]
        } catch {
          failure = failure ?? error
        }
      }
      if let failure { throw failure }
    } catch {
      if opened(added) == nil { for listener in added { adoption.giveBack(listener) } }
      throw error
    }
    return zip(wanted, passed).flatMap { wanted, listeners in
      listeners.map { PassedListener(configuration: wanted, listener: $0) }
    }
  }
}

extension Address {
  /// The name by which systemd is asked for it.
  fileprivate var nameInSystemd: String? {
    if case .systemd(let name) = self { name } else { nil }
  }
}
