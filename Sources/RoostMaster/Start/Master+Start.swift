import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostMetrics
import RoostSystemd

/// From a configuration to a master, and to its first generation.
extension Master {
  /// Checks and opens everything that the configuration asks for. Nothing is started yet.
  convenience init(_ handover: Handover, _ inheritance: Inheritance, log: Log) throws(MasterError) {
    let configuration = handover.configuration
    let started = time(nil)
    try AcceptanceWatch.check(configuration.worker)
    let directory = try WorkingDirectory.logical()
    guard chdir("/") == 0 else { throw MasterError(cannot: "enter the root directory") }
    let history = ServiceRecord.past(configuration, log)
    let first = try FirstRelease(
      configuration, trouble: handover.trouble, history, ReleaseResolver(startDirectory: directory))
    // Only here is the reason known; the fact itself is reported by the supervisor.
    if first.past.divergence == .fellBack, let reason = first.reason { log.error("\(reason)") }
    var releases = Releases()
    releases[first.past.first] = first.release
    do {
      let loop = try EventLoop()
      let channel = UpstreamChannel(loop: loop, log)
      let watchdog = try UpstreamWatchdog(channel)
      // Before the listeners: a second master of the same name must not take them from the first.
      let control = try configuration.control.map {
        try ControlServer($0, service: configuration.name, loop: loop, log)
      }
      let listeners = try ServiceListeners(
        first.configuration, of: first.release, Adoption(try inheritance.descriptors()), FdStore(channel, log), log)
      var past = first.past
      past.slots = listeners.slotsWithQueues
      self.init(
        handover, inheritance.openFiles, log, loop: loop, started: started, directory: directory, channel: channel,
        watchdog: watchdog, deadlines: Deadlines(),
        supervisor: Supervisor(settings: first.configuration.settings, past: past), releases: releases,
        listeners: listeners, record: ServiceRecord(configuration, history, serving: first.past.first, loop, log),
        clients: Clients(control),
        // After the listeners: if both want the same address, the service comes first.
        metrics: configuration.metrics.map { MetricsServer($0, loop: loop, log) })
    } catch let error as MasterError {
      throw error
    } catch {
      throw MasterError("\(error)")
    }
    troubles.start = first.reason
    if first.release.configuration.readinessChannel == .automatic, !listeners.all.isEmpty,
      let obstacle = AcceptanceWatch.obstacle(first.release.configuration)
    {
      log.info("the master can't see whether workers accept, so only READY=1 counts: \(obstacle)")
    }
    listeners.begin()
    record.prepared(first.past.first, of: first.past.origin, first.configuration, first.release)
  }

  /// Starts the first generation, as soon as possible.
  func begin() {
    if let trouble = listeners.trouble { return handle(.listenersNotOpened(reason: trouble.description)) }
    handle(.startRequested)
  }

  /// Another try to open the listeners.
  func openFirstListeners() {
    do {
      try listeners.openFirst(for: releases.known(supervisor.serving))
      if supervisor.divergence == nil { troubles.start = nil }
      handle(.startRequested)
    } catch {
      handle(.listenersNotOpened(reason: error.description))
    }
  }
}
