import RoostConfiguration
import RoostControl
import RoostCore
import RoostJSON
import RoostMetrics

/// Everything that a running master knows, as it is handed to its own new binary. What isn't here stays with the
/// process: environment, working directory, signal mask, children, open descriptors.
struct SavedState: Codable {
  let version: String
  let started: Int
  let supervisor: Supervisor
  let releases: [Release.Saved]
  let listeners: [Listener.Saved]
  /// What systemd has passed and no listener has taken.
  let inherited: [InheritedSocket.Saved]
  let workers: [WorkerProcess.Saved]
  let clock: ServiceClock
  /// Outputs that outlive the process for which they were made.
  let outputs: [[OutputStream.Saved]]
  let hooks: [HookProcess.Saved]
  let preparation: Preparation.Saved?
  let control: ControlServer.Saved?
  /// The socket of the metrics. Clients that are reading them have to ask again.
  let metrics: Listener.Saved?
  /// What it waits for, if there is no such socket.
  let metricsWait: MetricsWait?
  let counters: ServiceCounters
  /// The listeners of the workers that have a probe.
  let probes: [Prober.Saved]
  let einhorn: EinhornSocket.Saved?
  /// Also missing if a former version kept it closed.
  let pidFile: SavedDescriptor?
  /// The workers that have sent a message but aren't ready.
  let spoken: [WorkerID]
  let lastEvidence: ReloadEvidence?
  let restarts: [SlotRestarts]
  let lastReload: ReloadVerdict?
  /// The last lines of the workers that are gone; nil from a version that didn't keep them.
  let goneOutputs: [LastOutput]?
  let lastFailure: String?
  /// Missing in a former version, like what follows.
  let history: History?
  let firstListeners: [ListenerConfiguration]?
  let startTrouble: String?
  /// What served when the last reload began.
  let generationBeforeReload: Generation?
  let losses: [SavedLoss]?
  /// What the supervisor above hasn't read yet.
  let upstream: [UpstreamChannel.Saved]?

  /// Why a slot lost its last worker.
  struct SavedLoss: Codable {
    let slot: Int
    let loss: SlotLoss
  }

  /// How many workers of a slot were lost.
  struct SlotRestarts: Codable {
    let slot: Int
    let count: Int
  }

  /// Throws if a master couldn't continue with this. It runs in the proof, where the open descriptors aren't there.
  func check() throws {
    for listener in listeners { try listener.configuration.check() }
    for release in releases {
      try release.configuration.check()
      for passed in release.listeners {
        try passed.configuration.check()
        guard listeners.indices.contains(passed.index) else {
          throw MasterError("the state is damaged: it has no listener \(passed.index)")
        }
      }
    }
    for listener in firstListeners ?? [] { try listener.check() }
    guard counters.areSound else {
      throw MasterError("the state is damaged: its counters aren't those of this version")
    }
    let generations = releases.map(\.generation)
    guard generations.contains(supervisor.serving) else {
      throw MasterError("the state is damaged: it has no release of generation \(supervisor.serving.number)")
    }
    guard supervisor.hasSettings else {
      throw MasterError("the state is damaged: it has no settings of a generation that serves or is to")
    }
    let known = workers.map(\.id)
    let supervised = supervisor.slots.flatMap(\.workers).map(\.id)
    for id in supervised + supervisor.retirees.map(\.id) + known where !generations.contains(id.generation) {
      throw MasterError("the state is damaged: it has no release of generation \(id.generation.number)")
    }
    for id in supervised + supervisor.retirees.map(\.id) where !known.contains(id) {
      throw MasterError("the state is damaged: it has no process of worker \(id.number)")
    }
  }
}
