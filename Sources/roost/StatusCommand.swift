import ArgumentParser
import Foundation
import RoostControl
import RoostJSON

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show a service with its workers and listeners.",
    discussion: """
      Exit status: 0 all is well; 1 some workers are missing, or what serves isn't what is configured, as after a \
      failed reload; 2 no worker serves; 3 it isn't running; 4 this user may not operate it.
      """)

  @OptionGroup var selection: ServiceSelection

  @Flag(help: "Print what the master says as JSON (docs/control.md).")
  var json = false

  @Flag(name: [.customShort("w"), .long], help: "Show it again every second, until Ctrl-C.")
  var watch = false

  func run() throws {
    try selection.operate { _, connection in
      var live = LiveLines()
      repeat {
        let (status, report) = try connection.status()
        if json {
          Terminal.write(lines: [report.text])
        } else if watch, Terminal.isInteractive {
          live.draw(StatusView(status: status).lines)
        } else {
          Terminal.write(lines: StatusView(status: status).lines)
        }
        if watch { Thread.sleep(forTimeInterval: 1) }
        if !watch, status.exitStatus != 0 { throw ExitCode(status.exitStatus) }
      } while watch
    }
  }
}

struct StatusView {
  let status: ServiceStatus

  var lines: [String] {
    var lines = Self.wrapped("\(status.name): \(headline)")
    lines[0] = Terminal.styled(status.name, .bold) + lines[0].dropFirst(status.name.count)
    if let trouble = status.trouble { lines += Self.wrapped(trouble, .red) }
    if let verdict = status.lastReload {
      let age = Amount.since(verdict.ended / 1_000_000)
      lines += Self.wrapped("last reload, \(age) ago: \(verdict.message)", verdict.succeeded ? nil : .red)
    }
    lines += [""] + workers + waiting
    lines += (status.obstacles ?? []).flatMap { obstacle in
      Self.wrapped(
        "generation \(obstacle.generation) can't be restarted: \(obstacle.reason); a reload replaces it", .red)
    }
    for part in [retirees, listeners, outsiders, metrics] where !part.isEmpty { lines += [""] + part }
    return lines
  }

  private var headline: String {
    var parts = ["master \(status.pid)", "up \(Amount.since(status.started))"]
    switch (status.phase.known, status.condition?.known) {
    case (.starting, _), (.stopping, _): parts.insert(status.phase.rawValue, at: 0)
    case (_, .down): parts.insert("DOWN, no worker serves", at: 0)
    case (_, .degraded): parts.insert("degraded, \(servingText)", at: 0)
    case (_, .whole), (_, nil): parts.insert(servingText, at: 0)
    }
    if let candidate = status.candidate { parts.insert("reloading to generation \(candidate)", at: 1) }
    if status.phase.known != .stopping { parts.append("\(status.readyCount) of \(status.workersWanted) workers ready") }
    return parts.joined(separator: ", ")
  }

  /// More than one serves during a roll, and after one that has stopped halfway.
  private var servingText: String {
    let numbers = Set(status.workers.filter { $0.role == .current }.map(\.generation)).sorted()
    guard numbers.count > 1, let last = numbers.last else { return "generation \(status.generation) serves" }
    return "generations \(numbers.dropLast().map(String.init).joined(separator: ", ")) and \(last) serve"
  }

  private var workers: [String] {
    var table = Table(
      ["SLOT", "GENERATION", "PID", "STATE", "AGE", "RESTARTS", "MEMORY", "CPU", "STATUS"],
      rightAligned: [0, 1, 2, 5, 6, 7])
    for worker in status.workers {
      table.add([
        "\(worker.slot)", "\(worker.generation)", "\(worker.pid)", state(worker), Amount.since(worker.started),
        "\(worker.restarts)", worker.memoryBytes.map(Amount.bytes) ?? "-",
        worker.cpuMilliseconds.map { Amount.time(milliseconds: $0) } ?? "-", worker.status ?? "",
      ])
    }
    return table.lines
  }

  private func state(_ worker: ServiceStatus.Worker) -> String {
    let left = worker.millisecondsLeft.map { ", \(Amount.time(milliseconds: $0)) left" } ?? ""
    return worker.role == .candidate ? "candidate, \(worker.state.rawValue)" : worker.state.rawValue + left
  }

  /// What is said of slots without a worker is read when it matters: none of it is cut off.
  private var waiting: [String] {
    (status.waiting ?? []).flatMap { slot in
      let next = slot.millisecondsLeft.map { "; next try in \(Amount.time(milliseconds: $0))" } ?? ""
      let reason = slot.reason ?? "its worker is being started"
      return Self.wrapped("slot \(slot.slot) has no worker that serves: \(reason)\(next)", .red)
        + slot.lastWords.map { "  | \($0)" }
    }
  }

  /// A text in lines, with none of it cut off.
  private static func wrapped(_ text: String, _ style: Terminal.Style? = nil) -> [String] {
    let width = Terminal.width
    var lines: [String] = []
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      if let last = lines.last, last.count + 1 + word.count <= width {
        lines[lines.count - 1] += " \(word)"
      } else {
        lines.append((lines.isEmpty ? "" : "  ") + word)
      }
    }
    return style.map { style in lines.map { Terminal.styled($0, style) } } ?? lines
  }

  private static func clipped(_ text: String, _ style: Terminal.Style) -> String {
    Terminal.styled(Terminal.clipped(text), style)
  }

  private var metrics: [String] {
    guard let metrics = status.metrics, let reason = metrics.obstacle else { return [] }
    let next = metrics.millisecondsLeft.map { "next try in \(Amount.time(milliseconds: $0))" }
    return [Self.clipped("metrics: \(reason); \(next ?? "a reload recreates it")", .yellow)]
  }

  /// What workers that were told to stop still do.
  private var retirees: [String] {
    status.workers.compactMap { worker in
      let name = "worker \(worker.pid) (slot \(worker.slot), generation \(worker.generation))"
      let connections = connections(of: worker)
      let age = worker.looked.map { ", as seen \(Amount.since($0)) ago" } ?? ""
      if worker.accepts == true {
        let open = connections.map { "; it has \($0)" } ?? ""
        return Self.clipped("\(name) was told to stop and still accepts connections\(open)\(age)", .red)
      }
      return connections.map { Terminal.clipped("\(name) waits for \($0)\(age)") }
    }
  }

  private func connections(of worker: ServiceStatus.Worker) -> String? {
    guard let count = worker.connections, count > 0 else { return nil }
    let number = count == 1 ? "1 open connection" : "\(count) open connections"
    guard let peers = worker.peers, !peers.isEmpty else { return number }
    let rest = count > peers.count ? " and \(count - peers.count) more" : ""
    return "\(number) (from \(peers.joined(separator: ", "))\(rest))"
  }

  private var outsiders: [String] {
    guard let outsiders = status.outsiders, !outsiders.isEmpty else { return [] }
    let unseen = status.sawAllProcesses == false ? ["other processes couldn't be looked at"] : []
    return outsiders.map { outsider in
      let names = outsider.listeners.joined(separator: ", ")
      return Self.clipped(
        "process \(outsider.pid) (\(outsider.name)) doesn't belong to this service, has \(names) open and may take its "
          + "connections: 'kill \(outsider.pid)' ends it", .red)
    } + unseen
  }

  private var listeners: [String] {
    if status.listeners.isEmpty { return [] }
    var table = Table(["LISTENER", "ADDRESS", "QUEUED", "PEAK", "LIMIT", "DROPPED"], rightAligned: [2, 3, 4, 5])
    for listener in status.listeners {
      table.add([
        listener.name, listener.address, listener.queued.map(String.init) ?? "-", "\(listener.peak)",
        listener.limit.map(String.init) ?? "-", listener.dropped.map(String.init) ?? "-",
      ])
    }
    return table.lines
      + status.listeners.compactMap { listener in
        listener.unreachable.map {
          Self.clipped("clients can't connect to \(listener.name): \($0); a reload recreates it", .red)
        }
      }
  }
}
