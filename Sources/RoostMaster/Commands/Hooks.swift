import RoostContract
import RoostCore

/// The operator's commands that run before and after takeovers.
final class Hooks {
  private let spawner: Spawner
  private let resolver: ReleaseResolver
  private(set) var running: [HookProcess] = []
  /// The last lines of the one whose end is being reported.
  private(set) var lastWords: [String] = []
  private var ended: (Hook, Generation, _ failure: String?) -> Void = { _, _, _ in }

  init(_ spawner: Spawner, _ resolver: ReleaseResolver) {
    self.spawner = spawner
    self.resolver = resolver
  }

  /// Calls the handler with each one that has ended, and with why it failed, if it did.
  func watch(_ ended: @escaping (Hook, Generation, _ failure: String?) -> Void) { self.ended = ended }

  func run(_ hook: Hook, _ generation: Generation, _ release: Release) {
    let configured =
      switch hook {
      case .beforeReload: release.configuration.beforeReload
      case .afterTakeover: release.configuration.afterTakeover
      }
    guard let command = configured else { preconditionFailure("a hook that isn't configured") }
    do {
      let process = try spawner.run(
        command, as: .hook(hook), resolver, release: release,
        [
          "\(WorkerEnvironment.generation)=\(generation.number)", "\(WorkerEnvironment.hook)=\(hook.rawValue)",
        ])
      running.append(HookProcess(hook: hook, generation: generation, command: process))
    } catch {
      ended(hook, generation, "\(error)")
    }
  }

  func kill(_ hook: Hook, _ generation: Generation) {
    for process in running where process.hook == hook && process.generation == generation { process.command.kill() }
  }

  /// Children of the master were reaped: perhaps some of these. Returns which.
  func wereReaped(_ exits: [Children.Exit]) -> [(process: HookProcess, cause: ExitCause)] {
    exits.compactMap { exit in
      guard let index = running.firstIndex(where: { $0.command.pid == exit.pid && !$0.isReaped }) else { return nil }
      running[index].isReaped = true
      return (running[index], exit.cause)
    }
  }

  /// Reports those that were reaped.
  func tell(of exits: [(process: HookProcess, cause: ExitCause)]) {
    for (process, cause) in exits {
      process.command.output.finish()
      running.removeAll { $0.command === process.command }
      if cause != .exited(status: 0) { lastWords = process.command.output.lastLines }
      ended(process.hook, process.generation, cause == .exited(status: 0) ? nil : "it \(cause.text)")
      lastWords = []
    }
  }

  func restore(_ saved: [HookProcess.Saved], _ relay: OutputRelay) throws(MasterError) {
    for hook in saved {
      let command = CommandProcess(pid: hook.pid, output: try relay.restore(hook.output))
      running.append(HookProcess(hook: hook.hook, generation: hook.generation, command: command))
    }
  }
}
