import CRoostMaster
import Glibc
import RoostControl
import RoostCore
import RoostJSON

extension Master {
  /// Has the new binary prove that it can take over.
  func proveUpgrade() {
    guard case .proving = supervisor.upgrade, upgradeAttempt == nil else { return }
    do {
      try SpareMemory.check(SpareMemory.forState)
      try Self.checkClosing()
      let attempt = try UpgradeAttempt(handover, directory: startDirectory)
      upgradeAttempt = attempt
      try attempt.watch(in: loop) { [unowned self] in proved($0) }
    } catch {
      upgradeFailed("\(error)")
    }
  }

  private func proved(_ error: MasterError?) {
    if let error { upgradeFailed("\(error)") } else { handle(.upgradeProved) }
  }

  /// Executes the new binary once everything that has happened by now was handled.
  func replaceMasterSoon() {
    do {
      try upgradeAttempt?.replace(in: loop) { [unowned self] in replaceMaster() }
    } catch {
      upgradeFailed("\(error)")
    }
  }

  private func replaceMaster() {
    // A stop may have finished meanwhile: then there is nothing to continue with.
    guard supervisor.upgrade == .replacing else { return }
    workers.interruptLooks()
    outsiders.abandon()
    metricsServer?.dismissClients()
    relay.tellLost()
    // The new binary writes it again: an older record mustn't come last.
    record.abandon()
    do {
      try upgradeAttempt?.check()
      try SpareMemory.check(SpareMemory.forState)
      try Self.checkClosing()
      guard roost_leave_helpers() else { throw Self.cannotClose }
      // With the state as it is now: time has passed since the proof.
      try handover.execute(givingBack: openFiles)
    } catch {
      record.writeSoon()
      upgradeFailed("\(error)")
    }
  }

  /// execve(2) must not have to close what others have passed: it would wait for that.
  private static func checkClosing() throws(MasterError) {
    guard PassedDescriptors.areLetGo else { throw cannotClose }
  }

  private static let cannotClose = MasterError(
    "descriptors that a worker or a client has passed can't be closed yet; try again, and check whether more "
      + "processes are allowed (TasksMax= of the unit, RLIMIT_NPROC)")

  private func upgradeFailed(_ reason: String) {
    upgradeAttempt = nil
    // This was ended for the upgrade.
    if !supervisor.isStopping { outsiders.searchSoon() }
    handle(.upgradeFailed(reason: reason))
  }

  /// Answers the clients that wait for an upgrade.
  func answerUpgrade(_ notice: Notice) {
    let reply: VarlinkReply
    switch notice {
    case .upgradeRefused(let failure):
      reply = VarlinkReply(
        error: ControlInterface.upgradeRefused, parameters: ["reason": .string(words.reason(failure))])
    case .upgraded(let version):
      reply = VarlinkReply(parameters: ["versionBefore": .string(version), "version": .string(Version.number)])
    default: return
    }
    clients.answerUpgrade(reply)
  }

  private var handover: Handover {
    Handover(
      program: program, reader: reader, configuration: configuration, trouble: nil, directory: startDirectory,
      running: saved)
  }

  private var saved: SavedState {
    precondition(isIdle, "something is being handled")
    return SavedState(
      version: Version.number, started: started, supervisor: supervisor,
      releases: releases.saved(listeners.all), listeners: listeners.saved, inherited: listeners.savedInherited,
      workers: workers.processes.map(\.saved), clock: deadlines.clock,
      outputs: relay.saved(without: workers.processes.map(\.output) + hooks.running.map(\.command.output)),
      hooks: hooks.running.map(\.saved), preparation: preparer.saved, control: clients.server?.saved,
      metrics: metricsServer?.saved, metricsWait: metricsServer?.savedWait, counters: counters,
      probes: workers.prober.saved, einhorn: workers.einhorn?.saved, pidFile: files.savedPidFile,
      spoken: workers.spoken(supervisor), lastEvidence: queueSampler.lastEvidence, restarts: troubles.savedRestarts,
      lastReload: clients.lastReload, goneOutputs: workers.goneOutputs, lastFailure: upstream.lastFailure,
      history: record.history, firstListeners: listeners.first, startTrouble: troubles.start,
      generationBeforeReload: record.generationBeforeReload, losses: troubles.savedLosses, upstream: channel.saved)
  }
}
