import RoostConfiguration
import RoostCore
import RoostJSON
import Testing

@Suite("The state that the master takes over")
struct StateTests {
  private static func configuration(_ readiness: Settings.Readiness, pidFile: String?) throws -> Configuration {
    Configuration(
      name: "web", command: ["./server", "--a", "é\n\"", ""],
      listeners: [
        ListenerConfiguration(name: "http", address: .tcp(.any, port: 80)),
        ListenerConfiguration(name: "a", address: .tcp(.ipv4("127.0.0.1"), port: 0)),
        ListenerConfiguration(name: "b", address: .tcp(.ipv6("::1"), port: 65535)),
        ListenerConfiguration(name: "admin", address: .unix(path: "/run/ä.sock")),
        ListenerConfiguration(name: "s", address: .systemd(name: "http")),
      ],
      backlog: 511, readinessChannel: .pipe, stopSignal: try StopSignal(parsing: "QUIT"), pidFile: pidFile,
      allowsWorkerReload: true,
      settings: Settings(
        workers: 4, surge: .max, readiness: readiness, startAttempts: 2, settle: .milliseconds(1500),
        drainTimeout: .seconds(7)))
  }

  @Test("A configuration comes out as it went in")
  func roundTrip() throws {
    for readiness in [Settings.Readiness.reported(timeout: .seconds(9)), .alive(after: .milliseconds(3))] {
      for pidFile in [nil, "/run/web.pid"] {
        let configuration = try Self.configuration(readiness, pidFile: pidFile)
        let text = configuration.json.text
        #expect(try Configuration(json: JSON(parsing: Array(text.utf8))) == configuration)
      }
    }
  }

  @Test("Without any one of its members it is refused")
  func missing() throws {
    let json = try Self.configuration(.alive(after: .seconds(1)), pidFile: nil).json
    guard case .object(let members) = json else { preconditionFailure("a configuration is an object") }
    for member in members {
      let rest = JSON.object(members.filter { $0.name != member.name })
      #expect(throws: ConfigurationError.self, "\(member.name)") { _ = try Configuration(json: rest) }
    }
  }
}
