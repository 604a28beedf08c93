import CRoostLinux
import Glibc
import RoostControl
import RoostCore
import RoostJSON

extension Master {
  /// Somebody asks for the master's new binary. One that is being tried already answers for this too.
  func upgradeRequested(by requester: String) {
    guard verdict == nil, upgrade == nil else { return }
    renewFiles()
    tell(ServiceEvent(.upgradeBegan, .info, "upgrade of the master to \(program) requested by \(requester)"))
    do {
      try SpareMemory.check(SpareMemory.forState)
      try Self.checkClosing()
      let upgrade = try Upgrade(handover, directory: startDirectory)
      self.upgrade = upgrade
      try upgrade.watch(in: loop) { [unowned self] in proved($0) }
    } catch {
      refuseUpgrade("\(error)")
    }
  }

  private func proved(_ result: Result<String, MasterError>) {
    switch result {
    case .success:
      do {
        try upgrade?.replace(in: loop) { [unowned self] in replaceMaster() }
      } catch {
        refuseUpgrade("\(error)")
      }
    case .failure(let error): refuseUpgrade("\(error)")
    }
  }

  private func replaceMaster() {
    // A stop may have come to its end meanwhile: then there is nothing to go on with.
    guard verdict == nil else { return }
    prober.interrupt()
    acceptance.interrupt()
    outsiders.abandon()
    retireeWatch.abandon()
    metricsServer?.dismissClients()
    relay.tellLost()
    // The new binary has it written again: an older record mustn't come last.
    historyWriter?.abandon()
    do {
      try upgrade?.check()
      try SpareMemory.check(SpareMemory.forState)
      try Self.checkClosing()
      guard roost_leave_helpers() else { throw Self.cannotClose }
      // With the state as it is now: time has passed since the proof.
      try handover.execute(givingBack: openFiles)
    } catch {
      recordSoon()
      refuseUpgrade("\(error)")
    }
  }

  /// What others have passed must be nobody's to be closed by execve(2), which would wait for it.
  private static func checkClosing() throws(MasterError) {
    guard PassedDescriptors.areLetGo else { throw cannotClose }
  }

  private static let cannotClose = MasterError(
    "what a worker or a client has passed can't be closed yet; try again, and see whether there may be more processes "
      + "(TasksMax= of the unit, RLIMIT_NPROC)")

  private func refuseUpgrade(_ reason: String) {
    // What was ended for it.
    if upgrade != nil, !isStopping { lookForOutsiders() }
    upgrade = nil
    tell(
      ServiceEvent(
        .upgradeRefused, .error, "upgrade of the master refused: \(reason); version \(Version.number) goes on"))
    for client in control?.clients ?? [] where client.task == .upgrade {
      client.reply(VarlinkReply(error: ControlInterface.upgradeRefused, parameters: ["reason": .string(reason)]))
    }
  }

  /// The first thing that the new binary does.
  func finishUpgrade(from version: String) {
    tell(ServiceEvent(.upgraded, .info, "upgraded the master from version \(version) to version \(Version.number)"))
    for client in control?.clients ?? [] where client.task == .upgrade {
      client.reply(
        VarlinkReply(parameters: ["versionBefore": .string(version), "version": .string(Version.number)]))
    }
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
      heldDrains: heldDrains.map(\.saved),
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
