import Glibc
import RoostControl
import RoostCore
import RoostJSON

/// The clients that operate the service over the control socket, and what they wait for.
final class Clients {
  let server: ControlServer?
  private(set) var lastReload: ReloadVerdict?

  init(_ server: ControlServer?, lastReload: ReloadVerdict? = nil) {
    self.server = server
    self.lastReload = lastReload
  }

  private var all: [ControlClient] { server?.clients ?? [] }

  /// Whether a client may wait. Asked before anything is done: a client that is turned away has changed nothing.
  func admit(_ client: ControlClient, toWaitFor wait: Places.Wait) -> Bool {
    server?.admit(client, toWaitFor: wait) ?? true
  }

  /// Tells the clients that listen.
  func tell(_ event: ServiceEvent) {
    let listening = all.filter { $0.wantsMore && $0.task != .none && $0.task != .upgrade }
    if listening.isEmpty { return }
    let json = JSON(of: event)
    for client in listening { client.reply(VarlinkReply(parameters: ["event": json], continues: true)) }
  }

  /// Tells what has happened, and gives clients that waited for it the verdict.
  func tell(_ notice: Notice, _ event: ServiceEvent, _ evidence: ReloadEvidence?, lastWords: (Failure) -> [String]) {
    let clients = all
    if case .reloadBegan(let generation, _) = notice {
      for client in clients { client.reloadBegan(generation) }
    }
    tell(event)
    let (generation, failure): (Generation, Failure?)
    switch notice {
    case .reloadSucceeded(let new, _): (generation, failure) = (new, nil)
    case .reloadFailed(let new, let reason, _, _, _, _): (generation, failure) = (new, reason)
    default: return
    }
    let verdict = ReloadVerdict(
      generation: generation.number, succeeded: failure == nil, message: event.message,
      lastWords: failure.map(lastWords) ?? [], ended: Int(time(nil)) * 1_000_000, dropped: evidence?.dropped,
      peakQueue: evidence?.peak?.queued, queueLimit: evidence?.peak?.limit, queueListener: evidence?.peak?.listener)
    lastReload = verdict
    for client in clients { answer(client, verdict, of: generation) }
  }

  private func answer(_ client: ControlClient, _ verdict: ReloadVerdict, of generation: Generation) {
    guard case .reload(generation, let drained) = client.task else { return }
    if !verdict.succeeded {
      client.reply(VarlinkReply(error: ControlInterface.reloadFailed, parameters: ["verdict": JSON(of: verdict)]))
    } else if drained {
      client.begin(.drain(before: generation, verdict))
    } else {
      client.reply(VarlinkReply(parameters: ["event": .null, "verdict": JSON(of: verdict)]))
    }
  }

  /// Answers the clients whose reload has succeeded and whose retirees are gone, with the verdict as it is by then.
  func answerDrained(_ retirees: [Retiree], _ final: (ReloadVerdict, Generation) -> ReloadVerdict) {
    for client in all {
      guard case .drain(let generation, let verdict) = client.task,
        !retirees.contains(where: { $0.id.generation < generation })
      else { continue }
      client.reply(VarlinkReply(parameters: ["event": .null, "verdict": JSON(of: final(verdict, generation))]))
    }
  }

  /// Answers the clients that wait for an upgrade.
  func answerUpgrade(_ reply: VarlinkReply) {
    for client in all where client.task == .upgrade { client.reply(reply) }
  }

  /// The last worker is gone: clients that wait for that get their answer.
  func answerStops() {
    for client in all {
      switch client.task {
      case .stop, .subscription: client.reply(VarlinkReply(parameters: ["event": .null]))
      case .drain(_, let verdict):
        client.reply(VarlinkReply(parameters: ["event": .null, "verdict": JSON(of: verdict)]))
      case .reload, .upgrade: client.reply(VarlinkReply(error: ControlInterface.serviceStops))
      case .none: break
      }
    }
  }
}
