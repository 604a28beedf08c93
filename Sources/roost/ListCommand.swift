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
      switch service.state {
      case .gone: continue
      case .forbidden:
        found.append(["name": .string(service.name)])
        table.add([service.name, "not permitted", "-", "-", "-", "-", "-"])
      case .silent:
        found.append(["name": .string(service.name)])
        table.add([service.name, "doesn't answer", "-", "-", "-", "-", "-"])
      case .connected(let connection):
        guard let (status, report) = try? connection.status(timeout: 2) else {
          found.append(["name": .string(service.name)])
          table.add([service.name, "doesn't answer", "-", "-", "-", "-", "-"])
          continue
        }
        found.append(report)
        table.add([
          status.name, Self.phase(status), "\(status.generation)", "\(status.readyCount)/\(status.workersWanted)",
          "\(status.pid)", Amount.since(status.started), status.listeners.map(Self.text).joined(separator: " "),
        ])
      }
    }
    if json { return Terminal.write(JSON.array(found).text + "\n") }
    let width = Terminal.isInteractive ? Terminal.width : .max
    Terminal.write(table.lines(width: width).joined(separator: "\n") + "\n")
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
