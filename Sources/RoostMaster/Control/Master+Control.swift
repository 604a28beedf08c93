import Glibc
import RoostControl
import RoostCore
import RoostJSON

extension Master {
  /// Answers a call, or lets the client wait for what answers it.
  func answer(_ client: ControlClient, _ call: VarlinkCall) {
    guard client.isAllowed else { return client.dismiss(VarlinkReply(error: VarlinkService.permissionDenied)) }
    switch call.method {
    case VarlinkService.getInfo: client.reply(VarlinkReply(parameters: Self.info))
    case VarlinkService.getInterfaceDescription: describe(client, call)
    case ControlInterface.status: client.reply(VarlinkReply(parameters: ["service": statusReport]))
    case ControlInterface.reload: reload(client, call)
    case ControlInterface.rollback: rollback(client, call)
    case ControlInterface.cancel: cancel(client)
    case ControlInterface.history: tellHistory(client)
    case ControlInterface.stop: stop(client, call)
    case ControlInterface.scale: scale(client, call)
    case ControlInterface.subscribe: subscribe(client)
    case ControlInterface.upgrade: upgrade(client)
    case ControlInterface.logs: client.reply(VarlinkReply(parameters: ["outputs": .array(outputReports)]))
    case ControlInterface.metrics:
      client.reply(VarlinkReply(parameters: ["text": .string(metricsText(.openMetrics))]))
    default:
      let known = ["\(VarlinkService.name).", "\(ControlInterface.name)."]
      if known.contains(where: { call.method.utf8.starts(with: $0.utf8) }) {
        client.reply(VarlinkReply(error: VarlinkService.methodNotFound, parameters: ["method": .string(call.method)]))
      } else {
        let dot = call.method.utf8.lastIndex(of: UInt8(ascii: ".")) ?? call.method.utf8.endIndex
        let interface = String(Substring(call.method.utf8[..<dot]))
        client.reply(
          VarlinkReply(error: VarlinkService.interfaceNotFound, parameters: ["interface": .string(interface)]))
      }
    }
  }

  private static var info: JSON {
    [
      "vendor": "Roost", "product": "roost", "version": .string(Version.number), "url": "",
      "interfaces": [.string(VarlinkService.name), .string(ControlInterface.name)],
    ]
  }

  private func describe(_ client: ControlClient, _ call: VarlinkCall) {
    guard case .string(let interface) = call.parameters["interface"] else { return refuse(client, "interface") }
    switch interface {
    case VarlinkService.name:
      client.reply(VarlinkReply(parameters: ["description": .string(VarlinkService.description)]))
    case ControlInterface.name:
      client.reply(VarlinkReply(parameters: ["description": .string(ControlInterface.description)]))
    default:
      client.reply(
        VarlinkReply(error: VarlinkService.interfaceNotFound, parameters: ["interface": .string(interface)]))
    }
  }

  private func refuse(_ client: ControlClient, _ parameter: String) {
    client.reply(VarlinkReply(error: VarlinkService.invalidParameter, parameters: ["parameter": .string(parameter)]))
  }

  /// A boolean that may be left out; nil if it is something else.
  private func flag(_ name: String, _ call: VarlinkCall) -> Bool? {
    switch call.parameters[name] {
    case nil, .null: false
    case .boolean(let value): value
    case .integer, .string, .array, .object: nil
    }
  }

  /// Whether the client may wait. Before anything is done: who is turned away has asked for nothing.
  private func admit(_ client: ControlClient, toWaitFor wait: Places.Wait) -> Bool {
    control?.admit(client, toWaitFor: wait) ?? true
  }

  var isStopping: Bool {
    switch supervisor.phase {
    case .stopping, .stopped: true
    case .idle, .starting, .serving, .reloading: false
    }
  }

  private func reload(_ client: ControlClient, _ call: VarlinkCall) {
    guard let drained = flag("drained", call) else { return refuse(client, "drained") }
    guard let replacing = flag("replace", call) else { return refuse(client, "replace") }
    reload(client, from: .configuration, drained: drained, replacing: replacing)
  }

  private func reload(_ client: ControlClient, from origin: Origin, drained: Bool, replacing: Bool = false) {
    if isStopping { return client.reply(VarlinkReply(error: ControlInterface.serviceStops)) }
    guard admit(client, toWaitFor: .end) else { return }
    // Before the event: a reload that begins at once is the one it waits for.
    client.begin(.reload(nil, drained: drained))
    handle(.reloadRequested(by: requester(client), from: origin, replacing: replacing))
  }

  private func requester(_ client: ControlClient) -> Requester { .client(pid: client.pid, uid: client.uid) }

  /// A reload to what a former generation ran.
  private func rollback(_ client: ControlClient, _ call: VarlinkCall) {
    guard let drained = flag("drained", call) else { return refuse(client, "drained") }
    let target: Generation
    switch call.parameters["generation"] ?? .null {
    case .integer(let number): target = Generation(number: number)
    case .null:
      guard let usual = history.rollbackTarget(from: supervisor.serving) else {
        return refuseRollback(client, "nothing else is recorded that has served")
      }
      target = usual
    case .boolean, .string, .array, .object: return refuse(client, "generation")
    }
    guard let entry = history.entry(target), entry.serves != nil, entry.configuration != nil else {
      return refuseRollback(client, "nothing is recorded of a generation \(target.number) that has served")
    }
    reload(client, from: .record(target), drained: drained)
  }

  private func refuseRollback(_ client: ControlClient, _ reason: String) {
    client.reply(VarlinkReply(error: ControlInterface.nothingToRollBackTo, parameters: ["reason": .string(reason)]))
  }

  /// Ends the running reload. Whoever waits for it hears its verdict.
  private func cancel(_ client: ControlClient) {
    guard case .reloading(let reload) = supervisor.phase else {
      return client.reply(VarlinkReply(error: ControlInterface.nothingToCancel))
    }
    handle(.cancelRequested(by: requester(client)))
    client.reply(VarlinkReply(parameters: ["generation": .integer(reload.generation.number)]))
  }

  private func tellHistory(_ client: ControlClient) {
    client.reply(
      VarlinkReply(parameters: [
        "entries": .array(history.entries.map(\.json)), "lastGood": history.lastGood.map(JSON.integer) ?? .null,
        "serving": .integer(supervisor.serving.number),
      ]))
  }

  private func stop(_ client: ControlClient, _ call: VarlinkCall) {
    guard let atOnce = flag("atOnce", call) else { return refuse(client, "atOnce") }
    guard admit(client, toWaitFor: .end) else { return }
    let requester = Requester.client(pid: client.pid, uid: client.uid)
    client.begin(.stop)
    if atOnce {
      handle(.stopAtOnceRequested(by: requester))
    } else if !isStopping {
      // A second request would be one to stop at once, and this client only wants to wait.
      handle(.stopRequested(by: requester))
    }
  }

  /// A change is one of what there is now: between a client's look and its call somebody else might scale, too.
  private func scale(_ client: ControlClient, _ call: VarlinkCall) {
    let before = supervisor.desiredWorkers
    let most = Settings.maximumWorkers
    let wanted: Int
    switch (call.parameters["workers"] ?? .null, call.parameters["change"] ?? .null) {
    case (.integer(let workers), .null) where (1...most).contains(workers): wanted = workers
    case (.null, .integer(let change)) where change != 0 && (-most...most).contains(change):
      wanted = min(max(before + change, 1), most)
    case (_, .null): return refuse(client, "workers")
    case (_, _): return refuse(client, "change")
    }
    if isStopping { return client.reply(VarlinkReply(error: ControlInterface.serviceStops)) }
    if wanted != before { handle(.workersRequested(wanted)) }
    client.reply(VarlinkReply(parameters: ["workersBefore": .integer(before), "workers": .integer(wanted)]))
  }

  private func subscribe(_ client: ControlClient) {
    guard client.wantsMore else { return client.reply(VarlinkReply(error: VarlinkService.expectedMore)) }
    guard admit(client, toWaitFor: .events) else { return }
    client.begin(.subscription)
    // At once, so that the client knows from when on nothing escapes it.
    client.reply(VarlinkReply(parameters: ["event": .null], continues: true))
  }

  private func upgrade(_ client: ControlClient) {
    if verdict != nil { return client.reply(VarlinkReply(error: ControlInterface.serviceStops)) }
    guard admit(client, toWaitFor: .end) else { return }
    client.begin(.upgrade)
    upgradeRequested(by: "process \(client.pid) of user \(client.uid)")
  }

  // MARK: Waiting clients

  /// Tells clients what has happened, and those who have waited for it, the verdict.
  func tellClients(_ notice: Notice, _ event: ServiceEvent) {
    settle(notice, event)
    guard let clients = control?.clients, !clients.isEmpty else { return }
    if case .reloadBegan(let generation, _) = notice {
      for client in clients { client.reloadBegan(generation) }
    }
    send(event, to: clients)
    guard let verdict = lastReload else { return }
    switch notice {
    case .reloadSucceeded(let generation, _), .reloadFailed(let generation, _, _, _, _, _):
      for client in clients { answer(client, verdict, of: generation) }
    default: break
    }
  }

  /// Tells the log and the clients what the master itself has done.
  func tell(_ event: ServiceEvent) {
    log.write(event.record)
    send(event, to: control?.clients ?? [])
  }

  private func send(_ event: ServiceEvent, to clients: [ControlClient]) {
    let listening = clients.filter { $0.wantsMore && $0.task != .none && $0.task != .upgrade }
    if listening.isEmpty { return }
    let json = event.json
    for client in listening { client.reply(VarlinkReply(parameters: ["event": json], continues: true)) }
  }

  /// What is known of a reload that has ended.
  private func settle(_ notice: Notice, _ event: ServiceEvent) {
    switch notice {
    case .reloadSucceeded(let generation, _):
      lastReload = ReloadVerdict(
        generation: generation.number, succeeded: true, message: event.text, lastWords: [],
        evidence: reloadWatch.lastEvidence)
    case .reloadFailed(let generation, let failure, _, _, _, _):
      lastReload = ReloadVerdict(
        generation: generation.number, succeeded: false, message: event.text, lastWords: lastWords(of: failure),
        evidence: reloadWatch.lastEvidence)
    default: break
    }
  }

  func lastWords(of failure: Failure) -> [String] {
    switch failure {
    case .notPrepared, .notStarted, .notListening, .tookTooLong, .cancelled, .replaced: []
    case .hookFailed: lastWords
    case .exited(let id, _, _), .notReady(let id, _), .probeFailed(let id, _), .stopped(let id):
      process(id)?.output.lastLines ?? []
    }
  }

  private func answer(_ client: ControlClient, _ verdict: ReloadVerdict, of generation: Generation) {
    guard case .reload(generation, let drained) = client.task else { return }
    if !verdict.succeeded {
      client.reply(VarlinkReply(error: ControlInterface.reloadFailed, parameters: ["verdict": verdict.json]))
    } else if drained {
      client.begin(.drain(before: generation, verdict.json))
    } else {
      client.reply(VarlinkReply(parameters: ["event": .null, "verdict": verdict.json]))
    }
  }

  /// Answers those whose reload has succeeded and whose retirees are gone.
  func answerDrained() {
    guard let clients = control?.clients, !clients.isEmpty else { return }
    for client in clients {
      guard case .drain(let generation, let verdict) = client.task,
        !supervisor.retirees.contains(where: { $0.id.generation < generation })
      else { continue }
      client.reply(VarlinkReply(parameters: ["event": .null, "verdict": drainedVerdict(verdict, of: generation)]))
    }
  }
}
