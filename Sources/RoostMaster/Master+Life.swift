import CRoostMaster
import Glibc
import RoostConfiguration
import RoostCore
import RoostLog
import RoostSystemd

/// From the first instruction of the process to its exit status.
extension Master {
  /// The whole life of the process. `ManagedSignals.block` was called before.
  package static func main() -> Never {
    let openFiles = OpenFiles()
    UpgradeProof.giveIfAsked()
    do {
      guard let handover = try Handover.received() else {
        throw MasterError("roost-master isn't to be started by hand: use 'roost run'")
      }
      // The log comes after it, because the log opens something.
      let inheritance = Inheritance(openFiles: openFiles, isUpgrade: handover.running != nil)
      let log = Log()
      log.setField("ROOST_SERVICE", handover.configuration.name)
      let status = run(handover, inheritance, log)
      // The master and all that it had open are gone by now.
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
          "there is no control socket, because neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR says where: only signals "
            + "operate this service; --control-directory names a place")
      }
      // This comes last: another program that finds it may conclude that the service can run.
      if let path = handover.configuration.pidFile { try master.files.writePid(to: path) }
      defer { master.files.removePidFile() }
      return master.serve {
        try master.prepare()
        master.begin()
      }
    } catch {
      log.last("\(error)")
      // An obstacle that may pass is no reason to give up: what started this may try again.
      let mayWait = handover.configuration.settings.startAttempts == nil
      return error.healsWithTime && mayWait ? ExitStatus.masterFailed : ExitStatus.unusableConfiguration
    }
  }

  private static func restore(
    _ handover: Handover, _ inheritance: Inheritance, _ saved: SavedState, _ log: Log
  ) -> Int32 {
    do {
      let master = try Master(handover, inheritance, restoring: saved, log: log)
      if let path = handover.configuration.pidFile { master.files.restorePidFile(saved.pidFile, path) }
      defer { master.files.removePidFile() }
      return master.serve {
        try master.prepare()
        master.resume(saved)
      }
    } catch {
      // The proof has shown that this can't happen, and there is nothing to go back to.
      log.last("cannot continue after an upgrade: \(error)")
      return ExitStatus.masterFailed
    }
  }

  /// The last step that may fail.
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
    record.finish()
    releases.letGoOfListeners()
    listeners.closeAll()
    workers.retirees.abandon()
    workers.closeEinhorn()
    let orphans = Orphans(stopSignal: configuration.worker.stopSignal.number, log: log, strays: workers.strays)
    let areGone = orphans.stop(atOnce: endsAtOnce)
    if !endsAtOnce { relay.finish() }
    relay.tellLost()
    channel.finish()
    log.info("stopped")
    guard areGone else { return ExitStatus.masterFailed }
    return verdict == .startFailed ? ExitStatus.startFailed : ExitStatus.stopped
  }
}
