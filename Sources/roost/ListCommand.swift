import ArgumentParser
import RoostControl
import RoostJSON

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the services that are running on this machine.")

  @Flag(help: "Print an array of JSON objects (docs/control.md).")
  var json = false

  func run() throws {
    var table = Table(
      ["SERVICE", "PHASE", "GENERATION", "WORKERS", "PID", "UP", "LISTENERS"], rightAligned: [2, 3, 4])
    var found: [JSON] = []
    for service in RunningService.all() {
      do {
        let (status, report) = try service.connection.get().status(timeout: 2)
        found.append(report)
        table.add([
          status.name, Self.phase(status), "\(status.generation)", "\(status.readyCount)/\(status.workersWanted)",
          "\(status.pid)", Amount.since(status.started), status.listeners.map(Self.text).joined(separator: " "),
        ])
      } catch {
        found.append(["name": .string(service.name)])
        let state = if case .notPermitted = error { "not permitted" } else { "doesn't answer" }
        table.add([service.name, state, "-", "-", "-", "-", "-"])
      }
    }
    Terminal.write(lines: json ? [JSON.array(found).text] : table.lines)
  }

  /// What the service does, and what is wrong with it.
  private static func phase(_ status: ServiceStatus) -> String {
    var parts = [status.phase.rawValue]
    if let condition = status.condition, condition.known != .whole, condition.rawValue != status.phase.rawValue,
      ![.starting, .stopping].contains(status.phase.known)
    {
      parts.append(condition.rawValue)
    }
    switch status.divergence?.known {
    case .reloadFailed: parts.append("last reload failed")
    case .fellBack: parts.append("fell back")
    case .rolledBack: parts.append("rolled back")
    case nil: break
    }
    return parts.joined(separator: ", ")
  }

  private static func text(_ listener: ServiceStatus.Listener) -> String {
    "\(listener.name)=\(listener.address)" + (listener.unreachable == nil ? "" : " (unreachable)")
  }
}
