import Glibc
import RoostConfiguration
import RoostCore

/// A listener as the workers of one generation get it: another may call it otherwise.
struct PassedListener {
  let configuration: ListenerConfiguration
  let listener: Listener

  var name: String { configuration.name }

  init(configuration: ListenerConfiguration, listener: Listener) {
    self.configuration = configuration
    self.listener = listener
  }

  /// A listener as it is.
  init(_ listener: Listener) {
    self.init(configuration: listener.configuration, listener: listener)
  }
}

/// Each generation has its own listeners, which stand in its release. The master's are all of these together.
extension Master {
  /// What is wanted, in its order: those that are open and stay, those that systemd has passed, and new ones. Where one
  /// can't be had, those that were opened are closed again.
  static func listeners(
    for wanted: [ListenerConfiguration], beside open: [Listener], _ adoption: inout Adoption,
    keepingOpened opened: ([Listener]) -> Void? = { _ in nil }
  ) throws(MasterError) -> [PassedListener] {
    // One whose file is gone lets nobody in: another is opened in its place, for the new generation. The former serves who
    // waits in its queue.
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

  /// Gives a release what a configuration wants, and opens what isn't open.
  func openListeners(for wanted: [ListenerConfiguration], of release: Release) throws(MasterError) {
    let lost = listeners.filter { $0.obstacle != nil }
    for listener in lost { log.warning("nobody could connect to \(listener.title): \(listener.obstacle ?? "")") }
    release.listeners = try Self.listeners(for: wanted, beside: listeners, &adoption)
    let added = release.listeners.map(\.listener).filter { one in !listeners.contains { $0 === one } }
    // No master would take it from there, and systemd drops by name what may soon have the same.
    for listener in lost { fdStore.drop(listener) }
    listeners += added
    keep(added)
  }

  /// Tells of listeners that were opened, and has systemd keep them.
  func keep(_ added: [Listener]) {
    for listener in added {
      log.info("listening on \(listener.title)")
      fdStore.keep(listener)
    }
  }

  /// Once the listeners of the start are there. What a .socket unit has passed may yet be asked for by a reload.
  func dropUntaken() {
    for socket in adoption.takeStored() {
      log.info("closing \(socket.title), which systemd has kept and no listener of the configuration is")
      fdStore.drop(socket.name)
      Descriptor(adopting: socket.descriptor).shutDown()
    }
    for socket in adoption.sockets {
      log.warning(
        "systemd passed a socket named \(socket.name) that no listener takes, by name or by address; it is \(socket.title)"
      )
    }
  }

  /// The generations that serve, are to serve, or may get a worker.
  private var livingGenerations: Set<Generation> {
    var living: Set<Generation> = [supervisor.serving]
    switch supervisor.phase {
    case .reloading(let reload): living.insert(reload.generation)
    case .starting(let start):
      if case .preparing(let generation, _) = start.stage { living.insert(generation) }
    case .idle, .serving, .stopping, .stopped: break
    }
    for slot in supervisor.slots {
      if let worker = slot.worker { living.insert(worker.id.generation) }
      if let worker = slot.candidate { living.insert(worker.id.generation) }
    }
    return living
  }

  /// Shuts the listeners that only retirees have: a takeover has removed them, or a failed reload had added them. To be
  /// called when the supervisor has decided, before the retirees are told to drain.
  func retireListeners() -> [Listener] {
    guard !isStopping else { return [] }
    let living = livingGenerations
    let kept = releases.filter { living.contains($0.key) }.flatMap { $0.value.listeners.map(\.listener) }
    let retired = listeners.filter { listener in
      !listener.isRetired && !listener.isForeign && !kept.contains { $0 === listener }
    }
    for listener in retired {
      // First: a master that is killed in between mustn't get it back.
      fdStore.drop(listener)
      listener.retire()
    }
    return retired
  }

  /// Closes the listeners that no worker has any more.
  func closeUnusedListeners() {
    let living = livingGenerations
    for (generation, release) in releases
    where !living.contains(generation) && !processes.contains(where: { $0.id.generation == generation }) {
      releases[generation] = nil
      // Somebody may be holding a worker of it for a moment yet, and with it what it had.
      release.listeners = []
    }
    let used = releases.flatMap { $0.value.listeners.map(\.listener) }
    for listener in listeners where !used.contains(where: { $0 === listener }) {
      listeners.removeAll { $0 === listener }
      adoption.giveBack(listener)
      tellClosed(listener)
    }
  }

  /// Whoever is still in its queue sees a reset, and no verdict can tell: the reload has ended long ago.
  private func tellClosed(_ listener: Listener) {
    listener.sampleQueue()
    let waiting = listener.isForeign ? 0 : listener.queue.now?.queued ?? 0
    if waiting == 0 { return log.info("closed \(listener.title)") }
    log.warning("closed \(listener.title) with \(waiting) waiting: no worker that had it has accepted them")
  }

  /// What a generation that takes over wants of its listeners holds from now on.
  func takeOptions(of generation: Generation) {
    for passed in releases[generation]?.listeners ?? [] {
      do {
        try passed.listener.take(passed.configuration)
      } catch {
        log.warning("cannot change the permissions of \(passed.listener.title): \(error.reason)")
      }
    }
  }

  /// On a stop. What systemd keeps waits for the next start, and so does its file.
  func closeListeners() {
    for listener in listeners where listener.isStored { listener.leaveFile() }
    for release in releases.values { release.listeners = [] }
    listeners = []
  }
}

extension Address {
  /// The name by which systemd is asked for it.
  fileprivate var nameInSystemd: String? {
    switch self {
    case .systemd(let name): name
    case .tcp, .udp, .unix: nil
    }
  }
}
