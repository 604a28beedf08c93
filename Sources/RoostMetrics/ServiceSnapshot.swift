/// What the service is doing as a whole, in the words of its interfaces.
public enum ServicePhase: String, Hashable, Sendable, CaseIterable {
  case starting
  case serving
  /// Some slots have no worker that serves.
  case degraded
  /// No worker serves.
  case down
  case reloading
  case stopping
}

/// How a service is at one moment: all that its metrics tell.
public struct ServiceSnapshot: Hashable, Sendable {
  /// A listener.
  public struct Listener: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Its address.
    public var address: String
    /// How many connections wait; nil if the kernel doesn't say.
    public var queued: Int?
    /// How many can.
    public var limit: Int?
    /// The most that were seen waiting.
    public var peak: Int
    /// How many connection requests were dropped; nil if the kernel doesn't say.
    public var dropped: Int?
    /// Whether clients get to it, as far as is known.
    public var isReachable = true

    /// A listener with these values.
    public init(name: String, address: String, queued: Int?, limit: Int?, peak: Int, dropped: Int?) {
      self.name = name
      self.address = address
      self.queued = queued
      self.limit = limit
      self.peak = peak
      self.dropped = dropped
    }
  }

  /// A current worker or a candidate. There is at most one for each slot and generation.
  public struct Worker: Hashable, Sendable {
    /// Its slot.
    public var slot: Int
    /// Its generation.
    public var generation: Int
    /// Resident memory of it and its descendants.
    public var memoryBytes: Int
    /// Processor time of it and its descendants.
    public var cpuMilliseconds: Int

    /// A worker with these values.
    public init(slot: Int, generation: Int, memoryBytes: Int, cpuMilliseconds: Int) {
      self.slot = slot
      self.generation = generation
      self.memoryBytes = memoryBytes
      self.cpuMilliseconds = cpuMilliseconds
    }
  }

  /// How many workers there are of each kind.
  public struct Census: Hashable, Sendable {
    /// Current workers that are ready.
    public var currentReady = 0
    /// Current workers that aren't.
    public var currentStarting = 0
    /// Current workers that a signal or a tracer has stopped, whether they are ready or not.
    public var currentStopped = 0
    /// Candidates that are ready.
    public var candidatesReady = 0
    /// Candidates that aren't.
    public var candidatesStarting = 0
    /// Candidates that a signal or a tracer has stopped.
    public var candidatesStopped = 0
    /// Retirees.
    public var retirees = 0

    /// None.
    public init() {}
  }

  /// The service's name.
  public var service: String
  /// The master's version.
  public var version: String
  /// When the service was started, in seconds since 1970.
  public var started: Int
  /// What it does.
  public var phase: ServicePhase
  /// Whether what serves isn't what the configuration names.
  public var isDiverged = false
  /// The generation that serves.
  public var generation: Int
  /// How many workers are wanted.
  public var workersWanted: Int
  /// How many there are.
  public var census = Census()
  /// What has happened.
  public var counters = ServiceCounters()
  /// How many workers of each slot were lost, from slot 0 up.
  public var restarts: [Int] = []
  /// The current workers and the candidates.
  public var workers: [Worker] = []
  /// How many retirees were seen to accept when they were last looked at.
  public var retireesAccepting = 0
  /// Resident memory of all retirees.
  public var retireesMemoryBytes = 0
  /// The listeners. Those of the same name and address are one.
  public private(set) var listeners: [Listener] = []
  /// What the last reload's verdict says of dropped connection requests, if it does.
  public var lastReloadDropped: Int?
  /// What the last reload's verdict says of the longest queue, if it does.
  public var lastReloadPeak: Int?

  /// A service without workers and listeners to which nothing has happened.
  public init(
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
  public mutating func add(_ listener: Listener) {
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
