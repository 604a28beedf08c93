@testable import RoostConfiguration
import RoostJSON
import Testing

@testable import RoostCore

@Suite("The state that the master takes over")
struct StateTests {
  static func configuration(_ readiness: Settings.Readiness, pidFile: String?) throws -> Configuration {
    var isByAge = false
    if case .alive = readiness { isByAge = true }
    var worker = WorkerConfiguration(command: ["./server", "--a", "é\n\"", ""])
    worker.directory = "/srv/web/current"
    worker.environment = ["A=b=c", "B="]
    worker.argumentTemplates = [
      ArgumentTemplate(
        index: 1,
        template: Template([.text("--{"), .descriptor(listener: "http"), isByAge ? .slot : .readyDescriptor])),
      ArgumentTemplate(index: 2, template: Template([.port(listener: "a"), .address(listener: "admin")])),
    ]
    worker.variableTemplates = [
      VariableTemplate(name: "C", template: Template([.slot, .text("\u{e9}"), .generation, .directory]))
    ]
    worker.probe = pidFile == nil ? .http(path: "/health", status: 204) : .command(["/bin/check", "it"])
    worker.compatibility = [.serverStarter, .einhorn]
    worker.identity = Identity(user: 33, group: .max - 1, supplementaryGroups: [4, 27])
    worker.umask = 0o027
    worker.limits = [ResourceLimit(resource: 7, soft: 1024, hard: nil), ResourceLimit(resource: 4, soft: 0, hard: 0)]
    worker.nice = -5
    worker.readinessChannel = isByAge ? .none : .pipe
    worker.stopSignal = try StopSignal(parsing: "QUIT")
    worker.allowsWorkerReload = true
    worker.output = .prefixed
    worker.beforeReload = ["/bin/sh", "-c", "true"]
    worker.afterTakeover = ["/bin/true"]
    var admin = ListenerConfiguration(name: "admin", address: .unix(path: "/run/ä.sock"), backlog: 511)
    admin.mode = 0o660
    admin.user = 0
    admin.group = 33
    var both = ListenerConfiguration(name: "b", address: .tcp(.ipv6("::1"), port: 65535))
    both.isIPv6Only = true
    both.isNonblocking = true
    both.isFreebind = true
    var quic = ListenerConfiguration(name: "q", address: .udp(.ipv4("127.0.0.1"), port: 443))
    quic.reuseport = .cpu
    var each = ListenerConfiguration(name: "e", address: .udp(.any, port: 0))
    each.reuseport = .even
    return Configuration(
      name: "web",
      listeners: [
        ListenerConfiguration(name: "http", address: .tcp(.any, port: 80)),
        ListenerConfiguration(name: "a", address: .tcp(.ipv4("127.0.0.1"), port: 0)), both, admin,
        ListenerConfiguration(name: "s", address: .systemd(name: "http")), quic, each,
      ],
      pidFile: pidFile, control: ControlConfiguration(directory: "/run/roost/web", group: 33),
      metrics: pidFile == nil ? nil : .tcp(.ipv4("127.0.0.1"), port: 9100), worker: worker,
      settings: Settings(
        workers: 4, readiness: readiness, probeTimeout: .seconds(4), startAttempts: 2, settle: .milliseconds(1500),
        drainTimeout: .seconds(7), backoffFirst: .milliseconds(1), backoffLongest: .seconds(2),
        backoffForgivenAfter: .seconds(3), restartBurst: 0, restartWindow: .seconds(4), beforeReload: true,
        afterTakeover: true, hookTimeout: .seconds(5), queuePerSlot: true))
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

  @Test("A configuration that leaves everything to the master comes out as it went in")
  func leastRoundTrip() throws {
    let least = Configuration(
      name: "web", listeners: [], pidFile: nil, control: nil, worker: WorkerConfiguration(command: ["a"]),
      settings: .standard)
    #expect(try Configuration(json: JSON(parsing: Array(least.json.text.utf8))) == least)
  }

  @Test(
    "Without what it needs it is refused; what may be missing counts as not asked for, as where a former version wrote it"
  )
  func missing() throws {
    let json = try Self.configuration(.alive(after: .seconds(1)), pidFile: nil).json
    guard case .object(let members) = json else { preconditionFailure("a configuration is an object") }
    #expect(try Configuration(json: .object(members.filter { $0.name != "metrics" })).metrics == nil)
    for member in members where ["name", "listeners", "worker", "settings"].contains(member.name) {
      let rest = JSON.object(members.filter { $0.name != member.name })
      #expect(throws: ConfigurationError.self, "\(member.name)") { _ = try Configuration(json: rest) }
    }
  }
}
