import RoostConfiguration
import RoostMaster

extension Examination {
  static let ownSocketAdvice =
    "take the sockets from descriptor 3 on: LISTEN_FDS, or {fd} in the command (docs/protocol.md); 'sh -c' needs exec"

  /// Whether each listener is accepted on, and whether the worker listens elsewhere.
  func checkListeners(of worker: TrialWorker) throws -> Bool {
    guard !streams.isEmpty else { return false }
    var missing: [String] = []
    for (index, listener) in streams.enumerated() where try !isAccepted(on: listener, asks: index == 0) {
      missing.append(listener.title)
    }
    let own = SocketTable().places(of: worker.processes, except: worker.passedInodes)
    if !missing.isEmpty {
      let instead = own.isEmpty ? "" : ", but the worker listens at \(own.joined(separator: ", ")) on its own"
      let text = "no process accepts on \(missing.joined(separator: ", "))\(instead)"
      report.add(.failure(.listeners, text, mend: Self.ownSocketAdvice, lastLines: worker.lastLines))
      return false
    }
    if own.isEmpty {
      report.add(.ok(.listeners, "accepts on \(streams.map(\.title).joined(separator: ", "))"))
    } else {
      report.add(
        .warning(
          .listeners, "accepts on what it was given, and listens at \(own.joined(separator: ", ")) on its own",
          mend: "two generations run at the same time: have the master own that address too, by another --listen"))
    }
    return true
  }

  /// Connects, and waits until the connection is taken from the queue.
  private func isAccepted(on listener: TrialListener, asks: Bool) throws -> Bool {
    guard let address = listener.address else { return true }
    let load = Load(address, path: options.path, speaksHTTP: asks && options.speaksHTTP, patience: .seconds(3))
    load.startClient(keepAlive: false, limit: 1)
    _ = try trial.wait(.seconds(4)) { load.threads.areDone }
    // Closed or not, it is in the queue until a process takes it.
    return try trial.wait(.seconds(3)) { listener.queue?.queued ?? 0 == 0 }
  }

  /// Whether the queues have kept their length.
  func checkBacklog() {
    var shrunk: [String] = []
    for listener in streams {
      guard let before = listener.initialLimit, let now = listener.queue?.limit, now < before else { continue }
      shrunk.append("that of \(listener.title) from \(before) to \(now)")
    }
    if shrunk.isEmpty {
      let limits = streams.compactMap { $0.queue?.limit }
      if let least = limits.min() { report.add(.ok(.backlog, "the accept queue keeps its length, \(least)")) }
    } else {
      report.add(
        .warning(
          .backlog, "shortens the accept queue: \(shrunk.joined(separator: ", "))",
          mend:
            "the master restores it once a worker is ready; until then fewer can wait. Have the server call listen(2)"
            + " with a larger backlog, or not at all"))
    }
  }

  /// Whether the listeners are what they were. Reports what is wrong at once, and at the end that nothing is.
  func checkSockets(isLast: Bool) -> Bool {
    for listener in trial.listeners {
      let when = isLast ? "by the time it had exited" : "when it was ready"
      let text: String
      let mend: String
      switch listener.state {
      case .open: continue
      case .shutDown:
        text = "\(when), \(listener.title) refused connections: the worker has called shutdown(2) on it"
        mend = "that shuts it for all processes: only close(2) the descriptor"
      case .unlinked:
        text = "\(when), the file of \(listener.title) was gone: the worker has removed it"
        mend = "clients can't reach any other worker then: leave the file to the master"
      case .replaced:
        text = "\(when), another socket had the path of \(listener.title): the worker has bound its own"
        mend = "clients don't reach any other worker then: take the inherited socket"
      }
      report.add(.failure(.sockets, text, mend: mend))
      return false
    }
    if isLast, !trial.listeners.isEmpty { report.add(.ok(.sockets, "the listeners stay open when it goes")) }
    return true
  }
}
