import CRoostLinux
import Glibc
import RoostControl
import RoostCore
import RoostJSON

extension Master {
  /// Has the new binary prove that it can go on.
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

  /// Executes the new binary when everything that has happened by now was handled.
  func replaceMasterSoon() {
    do {
      try upgradeAttempt?.replace(in: loop) { [unowned self] in replaceMaster() }
    } catch {
      upgradeFailed("\(error)")
    }
  }

  private func replaceMaster() {
    // A stop may have come to its end meanwhile: then there is nothing to go on with.
    guard supervisor.upgrade == .replacing else { return }
    prober.interrupt()
    acceptance.interrupt()
    outsiders.abandon()
    retireeWatch.abandon()
    metricsServer?.dismissClients()
    relay.tellLost()
    // The new binary has it written again: an older record mustn't come last.
    historyWriter?.abandon()
    do {
      try upgradeAttempt?.check()
      try SpareMemory.check(SpareMemory.forState)
      try Self.checkClosing()
      guard roost_leave_helpers() else { throw Self.cannotClose }
      // With the state as it is now: time has passed since the proof.
      try handover.execute(givingBack: openFiles)
    } catch {
      recordSoon()
      upgradeFailed("\(error)")
    }
  }

  /// What others have passed must be nobody's to be closed by execve(2), which would wait for it.
  private static func checkClosing() throws(MasterError) {
    guard PassedDescriptors.areLetGo else { throw cannotClose }
  }

  private static let cannotClose = MasterError(
    "what a worker or a client has passed can't be closed yet; try again, and see whether there may be more processes "
      + "(TasksMax= of the unit, RLIMIT_NPROC)")

  private func upgradeFailed(_ reason: String) {
    upgradeAttempt = nil
    // What was ended for it.
    if !isStopping { lookForOutsiders() }
    handle(.upgradeFailed(reason: reason))
  }

  /// Answers those who wait for an upgrade.
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
    for client in control?.clients ?? [] where client.task == .upgrade { client.reply(reply) }
  }

  private var handover: Handover {
    Handover(
      program: program, reader: reader, configuration: configuration, trouble: nil, directory: startDirectory,
      running: saved)
  }

  private var saved: SavedState {
    precondition(events.isEmpty && !isHandling, "something is being handled")
    return SavedState(
      version: Version.number, started: started, supervisor: supervisor,
      releases: releases.keys.sorted().map { releases[$0]!.saved(as: $0, listeners) },
      listeners: listeners.map(\.saved), inherited: adoption.sockets.map(\.saved), workers: processes.map(\.saved),
      clock: clock,
      outputs: relay.saved(without: processes.map(\.output) + hooks.map(\.output)), hooks: hooks.map(\.saved),
      preparation: preparation?.saved, control: control?.saved,
      metrics: metricsServer?.saved, metricsWait: metricsServer?.savedWait, counters: counters.json,
      probes: prober.saved, einhorn: einhorn?.saved, pidFile: pidFile?.saved,
      spoken: acceptance.spoken + spoken.filter { supervisor.isAwaitingReadiness(of: $0) }.sorted(),
      lastEvidence: reloadWatch.lastEvidence,
      restarts: restarts.keys.sorted().map { SavedState.SlotRestarts(slot: $0, count: restarts[$0]!) },
      lastReload: lastReload, goneOutputs: goneOutputs, lastFailure: upstream.lastFailure, history: history,
      firstListeners: firstListeners.map(\.json), startTrouble: startTrouble,
      generationBeforeReload: generationBeforeReload,
      losses: losses.keys.sorted().map { SavedState.SavedLoss(slot: $0, loss: losses[$0]!) }, upstream: channel.saved)
  }
}
