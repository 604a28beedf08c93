import Glibc
import RoostControl
import RoostCore
import RoostJSON

extension Master {
  /// Answers a call, or lets the client wait for the answer.
  func answer(_ client: ControlClient, _ call: VarlinkCall) {
    guard client.isAllowed else { return client.dismiss(VarlinkReply(error: VarlinkService.permissionDenied)) }
    switch call.method {
    case VarlinkService.getInfo: client.reply(VarlinkReply(parameters: Self.info))
    case VarlinkService.getInterfaceDescription: describe(client, call)
    case ControlInterface.status: client.reply(VarlinkReply(parameters: ["service": JSON(of: statusReport)]))
    case ControlInterface.reload: reload(client, call)
    case ControlInterface.rollback: rollback(client, call)
    case ControlInterface.cancel: cancel(client)
    case ControlInterface.history: tellHistory(client)
    case ControlInterface.stop: stop(client, call)
    case ControlInterface.scale: scale(client, call)
    case ControlInterface.subscribe: subscribe(client)
    case ControlInterface.upgrade: upgrade(client)
    case ControlInterface.logs: client.reply(VarlinkReply(parameters: ["outputs": JSON(of: workers.outputReports)]))
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

  /// A boolean that may be left out; nil if it isn't one.
  private func flag(_ name: String, _ call: VarlinkCall) -> Bool? {
    switch call.parameters[name] {
    case nil, .null: false
    case .boolean(let value): value
    case .integer, .string, .array, .object: nil
    }
  }

  private func reload(_ client: ControlClient, _ call: VarlinkCall) {
    guard let drained = flag("drained", call) else { return refuse(client, "drained") }
    guard let replacing = flag("replace", call) else { return refuse(client, "replace") }
    reload(client, from: .configuration, drained: drained, replacing: replacing)
  }

  private func reload(_ client: ControlClient, from origin: Origin, drained: Bool, replacing: Bool = false) {
    if supervisor.isStopping { return client.reply(VarlinkReply(error: ControlInterface.serviceStops)) }
    guard clients.admit(client, toWaitFor: .end) else { return }
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
      guard let usual = record.history.rollbackTarget(from: supervisor.serving) else {
        return refuseRollback(client, "there is no record of another generation that has served")
      }
      target = usual
    case .boolean, .string, .array, .object: return refuse(client, "generation")
    }
    guard let entry = record.history.entry(target), entry.serves != nil, entry.configuration != nil else {
      return refuseRollback(client, "there is no record that a generation \(target.number) has served")
    }
    reload(client, from: .record(target), drained: drained)
  }

  private func refuseRollback(_ client: ControlClient, _ reason: String) {
    client.reply(VarlinkReply(error: ControlInterface.nothingToRollBackTo, parameters: ["reason": .string(reason)]))
  }

  /// Ends the running reload. Clients that wait for it get its verdict.
  private func cancel(_ client: ControlClient) {
    guard case .reloading(let reload) = supervisor.phase else {
      return client.reply(VarlinkReply(error: ControlInterface.nothingToCancel))
    }
    handle(.cancelRequested(by: requester(client)))
    client.reply(VarlinkReply(parameters: ["generation": .integer(reload.generation.number)]))
  }

  private func tellHistory(_ client: ControlClient) {
    let report = HistoryReport(
      entries: record.history.entries.map(\.report), lastGood: record.history.lastGood,
      serving: supervisor.serving.number)
    client.reply(VarlinkReply(parameters: JSON(of: report)))
  }

  private func stop(_ client: ControlClient, _ call: VarlinkCall) {
    guard let atOnce = flag("atOnce", call) else { return refuse(client, "atOnce") }
    guard clients.admit(client, toWaitFor: .end) else { return }
    client.begin(.stop)
    if atOnce {
      handle(.stopAtOnceRequested(by: requester(client)))
    } else if !supervisor.isStopping {
      // A second request would mean a stop at once, and this client only wants to wait.
      handle(.stopRequested(by: requester(client)))
    }
  }

  /// A change applies to the number as it is now: another client might have scaled between this client's look and its
  /// call.
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
    if supervisor.isStopping { return client.reply(VarlinkReply(error: ControlInterface.serviceStops)) }
    if wanted != before { handle(.workersRequested(wanted)) }
    client.reply(VarlinkReply(parameters: ["workersBefore": .integer(before), "workers": .integer(wanted)]))
  }

  private func subscribe(_ client: ControlClient) {
    guard client.wantsMore else { return client.reply(VarlinkReply(error: VarlinkService.expectedMore)) }
    guard clients.admit(client, toWaitFor: .events) else { return }
    client.begin(.subscription)
    // At once, so that the client knows that it misses nothing from now on.
    client.reply(VarlinkReply(parameters: ["event": .null], continues: true))
  }

  private func upgrade(_ client: ControlClient) {
    if verdict != nil { return client.reply(VarlinkReply(error: ControlInterface.serviceStops)) }
    guard clients.admit(client, toWaitFor: .end) else { return }
    client.begin(.upgrade)
    handle(.upgradeRequested(by: requester(client)))
  }
}
