import RoostCore

/// How a service is at one moment: all that its metrics tell.
package struct ServiceSnapshot: Hashable, Sendable {
  package struct Listener: Hashable, Sendable {
    package var name: String
    package var address: String
    /// How many connections wait; nil if the kernel doesn't say.
    package var queued: Int?
    /// How many can.
    package var limit: Int?
    /// The most that were seen waiting.
    package var peak: Int
    /// How many connection requests were dropped; nil if the kernel doesn't say.
    package var dropped: Int?
    /// Whether clients get to it, as far as is known.
    package var isReachable = true

    package init(name: String, address: String, queued: Int?, limit: Int?, peak: Int, dropped: Int?) {
      self.name = name
      self.address = address
      self.queued = queued
      self.limit = limit
      self.peak = peak
      self.dropped = dropped
    }
  }

  /// A current worker or a candidate. There is at most one for each slot and generation.
  package struct Worker: Hashable, Sendable {
    package var slot: Int
    package var generation: Int
    /// Resident memory of it and its descendants.
    package var memoryBytes: Int
    /// Processor time of it and its descendants.
    package var cpuMilliseconds: Int

    package init(slot: Int, generation: Int, memoryBytes: Int, cpuMilliseconds: Int) {
      self.slot = slot
      self.generation = generation
      self.memoryBytes = memoryBytes
      self.cpuMilliseconds = cpuMilliseconds
    }
  }

  /// How many workers there are of a role.
  package struct Census: Hashable, Sendable {
    package var ready = 0
    package var starting = 0
    /// Those that a signal or a tracer has stopped, whether they are ready or not.
    package var stopped = 0

    package mutating func count(isReady: Bool, isStopped: Bool) {
      switch (isStopped, isReady) {
      case (true, _): stopped += 1
      case (false, true): ready += 1
      case (false, false): starting += 1
      }
    }
  }

  package var service: String
  /// The master's version.
  package var version: String
  /// When the service was started, in seconds since 1970.
  package var started: Int
  package var phase: ServicePhase
  /// Whether what serves isn't what the configuration names.
  package var isDiverged = false
  package var generation: Int
  package var workersWanted: Int
  package var current = Census()
  package var candidates = Census()
  package var retirees = 0
  package var counters = ServiceCounters()
  /// How many workers of each slot were lost, from slot 0 up.
  package var restarts: [Int] = []
  package var workers: [Worker] = []
  /// How many retirees were seen to accept when they were last looked at.
  package var retireesAccepting = 0
  package var retireesMemoryBytes = 0
  /// The listeners. Those of the same name and address are one.
  package private(set) var listeners: [Listener] = []
  /// What the last reload's verdict says of dropped connection requests, if it does.
  package var lastReloadDropped: Int?
  /// What the last reload's verdict says of the longest queue, if it does.
  package var lastReloadPeak: Int?

  package init(
    service: String, version: String, started: Int, phase: ServicePhase, generation: Int, workersWanted: Int
  ) {
    self.service = service
    self.version = version
    self.started = started
    self.phase = phase
    self.generation = generation
    self.workersWanted = workersWanted
  }

  /// Adds a listener. Sockets of the same name and address add up: a series that is there twice makes the whole text
  /// unreadable.
  package mutating func add(_ listener: Listener) {
    guard let index = listeners.firstIndex(where: { $0.name == listener.name && $0.address == listener.address }) else {
      listeners.append(listener)
      return
    }
    func sum(_ one: Int?, _ other: Int?) -> Int? { one == nil ? other : one! + (other ?? 0) }
    listeners[index].queued = sum(listeners[index].queued, listener.queued)
    listeners[index].limit = sum(listeners[index].limit, listener.limit)
    listeners[index].peak += listener.peak
    // A new generation may have its own socket at the address.
    listeners[index].isReachable = listeners[index].isReachable || listener.isReachable
    listeners[index].dropped = sum(listeners[index].dropped, listener.dropped)
  }
}
