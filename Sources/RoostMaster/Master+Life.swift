import CRoostLinux
import Glibc
import RoostConfiguration
import RoostCore
import RoostJSON
import RoostLog
import RoostSystemd

/// From the first instruction of the process to its exit status.
extension Master {
  /// The whole life of the process. `ManagedSignals.block` was called before.
  public static func main() -> Never {
    let openFiles = OpenFiles()
    UpgradeProof.giveIfAsked()
    do {
      guard let handover = try Handover.received() else {
        throw MasterError("roost-master isn't to be started by hand: use 'roost run'")
      }
      // The log comes after it, since that opens something.
      let inheritance = Inheritance(openFiles: openFiles, isUpgrade: handover.running != nil)
      let log = Log()
      log.setField("ROOST_SERVICE", handover.configuration.name)
      let status = run(handover, inheritance, log)
      // The master with all that it had open is gone by now.
      Orphans.awaitHelpers()
      exit(status)
    } catch {
      Log().last("\(error)")
      exit(ExitStatus.masterFailed)
    }
  }

  private static func run(_ handover: Handover, _ inheritance: Inheritance, _ log: Log) -> Int32 {
    do {
      if let saved = handover.running { return restore(handover, inheritance, saved, log) }
      let master = try Master(handover, inheritance, log: log)
      if handover.configuration.control == nil {
        log.warning(
          "there is no control socket, as neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR says where: only signals operate "
            + "this service; --control-directory names one")
      }
      // Last: whoever finds it may take the service for one that can run.
      if let path = handover.configuration.pidFile { master.pidFile = try PidFile(path) }
      defer { master.pidFile?.remove() }
      return master.serve {
        try master.prepare()
        master.begin()
      }
    } catch {
      log.last("\(error)")
      // What time may heal isn't worth giving up: whoever has started this may try again.
      let mayWait = handover.configuration.settings.startAttempts == nil
      return error.healsWithTime && mayWait ? ExitStatus.masterFailed : ExitStatus.unusableConfiguration
    }
  }

  private static func restore(
    _ handover: Handover, _ inheritance: Inheritance, _ saved: SavedState, _ log: Log
  ) -> Int32 {
    do {
      let master = try Master(handover, inheritance, restoring: saved, log: log)
      master.restorePidFile(saved.pidFile)
      defer { master.pidFile?.remove() }
      return master.serve {
        try master.prepare()
        master.resume(from: saved.version)
      }
    } catch {
      // The proof has shown that this can't be, and there is nothing to go back to.
      log.last("cannot go on after an upgrade: \(error)")
      return ExitStatus.masterFailed
    }
  }

  /// All that a restored master does before it goes on, in the proof of an upgrade. Nobody outside notices.
  static func rehearsal(_ handover: Handover, _ state: JSON, _ saved: SavedState) throws -> Master {
    guard SavedDescriptor.setCloseOnExec(true, SavedDescriptor.all(in: state)) else {
      throw MasterError("a descriptor of the state isn't open")
    }
    let inheritance = Inheritance(openFiles: OpenFiles(), isUpgrade: true)
    let master = try Master(handover, inheritance, restoring: saved, log: Log())
    try master.prepare()
    try SpareMemory.check(SpareMemory.forGoingOn)
    return master
  }

  /// What the former binary had armed, and what happened while it was executing this one.
  private func resume(from version: String) {
    // A former version worked in the directory in which it was started.
    chdir("/")
    finishUpgrade(from: version)
    relay.resume()
    channel.resume()
    recordSoon()
    renewFiles()
    // They were told to drain by the former binary.
    if processes.contains(where: { $0.state == .remains }) { lookForStrays() }
    for process in processes where process.state == .remains { findRemains(of: process) }
    reap()
    resumeRetireeWatch()
    releaseDrains()
    for process in processes where supervisor.isAwaitingReadiness(of: process.id) && !spoken.contains(process.id) {
      acceptance.await(process, process.release.listeners)
    }
    for process in processes where supervisor.isProbing(process.id) { prober.begin(process.id) }
    steer()
    reloadWatch.setRunning(isReloading && !listeners.isEmpty)
    setTimer()
    upstream.tellStatus(supervisor, trouble: trouble)
    // What the former binary has found isn't handed over.
    if servicePhase == .serving { lookForOutsiders() }
  }

  /// The last that may fail.
  func prepare() throws {
    // Whatever a worker leaves behind becomes a child of the master, and is stopped with it.
    guard roost_become_subreaper() == 0 else { throw MasterError(cannot: "become a subreaper") }
    try watch()
  }

  private func serve(beginning begin: () throws -> Void) -> Int32 {
    do {
      try begin()
      watchdog?.begin()
      _ = try loop.run()
    } catch {
      log.last("\(error)")
      return ExitStatus.masterFailed
    }
    recordWhatIsDue()
    historyWriter?.finish()
    closeListeners()
    retireeWatch.abandon()
    // Before the control socket, whose directory can then be removed.
    einhorn = nil
    let areGone = Orphans(
      stopSignal: configuration.worker.stopSignal.number, log: log, strays: strays,
      own: acceptance.observers.union(outsiders.pids).union(retireeWatch.pids).union(historyWriter?.pids ?? [])
    ).stop(atOnce: endsAtOnce)
    if !endsAtOnce { relay.finish() }
    relay.tellLost()
    channel.finish()
    log.info("stopped")
    guard areGone else { return ExitStatus.masterFailed }
    return verdict == .startFailed ? ExitStatus.startFailed : ExitStatus.stopped
  }
}
