import Foundation
import RoostConfiguration
import Testing

@testable import RoostCore
@testable import RoostOptions

@Suite("Options")
struct OptionTests {
  private static func read(_ text: String, _ commandLine: [OptionEntry] = []) throws -> Configuration {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).toml").path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    defer { unlink(path) }
    return try Options(file: path, commandLine: commandLine, directory: "/here").configuration()
  }

  private static func option(_ name: String, _ texts: String...) -> OptionEntry {
    let place = Place.commandLine("--\(name)")
    let values = texts.map { Located(.text($0), at: place) }
    let value = ["listen", "environment", "limit"].contains(name) ? Located(.array(values), at: place) : values[0]
    return OptionEntry(name, at: place, value)
  }

  @Test("What nobody has chosen has its default")
  func defaults() throws {
    let configuration = try Self.read("name = \"web\"\ncommand = [\"a\"]\n")
    var worker = WorkerConfiguration(command: ["a"])
    worker.output = .passed
    #expect(configuration.worker == worker)
    #expect(configuration.settings == .standard)
    #expect(configuration.listeners.isEmpty)
    #expect(configuration.name == "web")
  }

  @Test("A limit of the command line has one bound, or a soft and a hard one")
  func limitsOfTheCommandLine() throws {
    let texts = ["open-files=10:20", "core-size=0:unlimited", "stack-size=unlimited", "processes=7"]
    let place = Place.commandLine("--limit")
    let entry = OptionEntry(
      "limit", at: place, Located(.array(texts.map { Located(.text($0), at: place) }), at: place))
    let limits = try Self.read("command = [\"a\"]\n", [entry]).worker.limits
    #expect(limits.map(\.soft) == [10, 0, nil, 7])
    #expect(limits.map(\.hard) == [20, nil, nil, 7])
    for wrong in ["open-files=10:", "open-files=1:2:3", "open-files=20:10", "open-files=a:b"] {
      #expect(throws: Problems.self) { try Self.read("command = [\"a\"]\n", [Self.option("limit", wrong)]) }
    }
  }

  @Test("What is wrong is told in one line, whatever the name of an option has in it")
  func controlCharacters() {
    #expect {
      _ = try Self.read("command = ['a']\n\"\\u001b[31mred\\nx\" = 1\nworkers = \"a\\tb\"")
    } throws: { error in
      let text = "\(error)"
      return text.contains(":2:1: there is no option ' [31mred x'") && text.contains("\"a b\"")
    }
  }

  @Test("A configuration whose lines have changed places is the same")
  func order() throws {
    let (command, environment) = ("name = 'web'\ncommand = ['a']\n", "[environment]\nB = '1'\nA = '2'\n")
    let one = try Self.read("\(command)\(environment)[limit]\nopen-files = 9\ncore-size = 0")
    let other = try Self.read("\(command)[limit]\ncore-size = 0\nopen-files = 9\n[environment]\nA = '2'\nB = '1'")
    #expect(one == other && one.worker.environment == ["A=2", "B=1"])
  }

  @Test("Every option is taken over")
  func everything() throws {
    let configuration = try Self.read(
      """
      name = "web"
      command = ["a", "b"]
      directory = "/srv"
      workers = 4
      surge = 2
      ready = "pipe"
      ready-timeout = "5s"
      start-attempts = 2
      settle = "1m30s"
      drain-timeout = "500ms"
      stop-signal = "SIGQUIT"
      restart-delay = "1s"
      restart-delay-limit = "2s"
      restart-delay-reset = "3s"
      restart-burst = 0
      restart-window = "1ms"
      before-reload = "make it so"
      after-takeover = ["tell", "them"]
      hook-timeout = "4s"
      allow-worker-reload = true
      log-prefix = true
      pid-file = "/run/x.pid"
      control-directory = "/run/x"
      umask = "0027"
      nice = -3
      backlog = 9

      [environment]
      A = "b"

      [limit]
      open-files = [1, "unlimited"]

      [[listen]]
      name = "http"
      address = "8080"
      ipv6-only = true

      [[listen]]
      address = "unix:/run/x.sock"
      backlog = 7
      mode = "0660"
      nonblocking = true
      """)
    #expect(
      configuration.settings
        == Settings(
          workers: 4, surge: 2, readiness: .reported(timeout: .seconds(5)), startAttempts: 2, settle: .seconds(90),
          drainTimeout: .milliseconds(500), backoffFirst: .seconds(1), backoffLongest: .seconds(2),
          backoffForgivenAfter: .seconds(3), restartBurst: 0, restartWindow: .milliseconds(1), beforeReload: true,
          afterTakeover: true, hookTimeout: .seconds(4)))
    var worker = WorkerConfiguration(command: ["a", "b"])
    worker.directory = "/srv"
    worker.environment = ["A=b"]
    worker.umask = 0o027
    worker.nice = -3
    worker.limits = [ResourceLimit(resource: ResourceLimit.resources[0].number, soft: 1, hard: nil)]
    worker.readinessChannel = .pipe
    worker.stopSignal = try StopSignal(parsing: "QUIT")
    worker.allowsWorkerReload = true
    worker.output = .prefixed
    worker.beforeReload = ["/bin/sh", "-c", "make it so"]
    worker.afterTakeover = ["tell", "them"]
    #expect(configuration.worker == worker)
    var http = ListenerConfiguration(name: "http", address: .tcp(.any, port: 8080), backlog: 9)
    http.isIPv6Only = true
    var unix = ListenerConfiguration(name: "unix-x.sock", address: .unix(path: "/run/x.sock"), backlog: 7)
    unix.mode = 0o660
    unix.isNonblocking = true
    #expect(configuration.listeners == [http, unix])
    #expect(configuration.pidFile == "/run/x.pid")
    #expect(configuration.control == ControlConfiguration(directory: "/run/x"))
  }

  @Test("The command line wins, and adds to tables")
  func commandLine() throws {
    let configuration = try Self.read(
      "command = [\"a\"]\nworkers = 2\nlisten = [\"a=1\", \"b=2\"]\npid-file = \"/x\"\n[environment]\nA = \"1\"\nB = \"2\"\n",
      [
        Self.option("workers", "3"), Self.option("listen", "c=3,backlog=5"), Self.option("pid-file", "web.pid"),
        Self.option("environment", "A=x=y", "C="), Self.option("limit", "core-size=0"),
      ])
    #expect(configuration.settings.workers == 3)
    #expect(configuration.listeners == [ListenerConfiguration(name: "c", address: .tcp(.any, port: 3), backlog: 5)])
    #expect(configuration.pidFile == "/here/web.pid")
    #expect(configuration.worker.environment.sorted() == ["A=x=y", "B=2", "C="])
    #expect(configuration.worker.limits.count == 1)
  }

  @Test("All that is wrong is told at once, in the order of the file, and whether it is only the command line's fault")
  func problems() throws {
    do {
      _ = try Self.read("command = 1\nworkers = 0\nx = 1\n", [Self.option("settle", "5")])
      Issue.record("it was accepted")
    } catch let problems as Problems {
      #expect(problems.first.map(\.option) == ["command", "workers", nil, "settle"])
      #expect(!problems.areUsage)
      #expect(problems.first[3].description.hasPrefix("--settle: '5' is no duration"))
    }
    do {
      _ = try Options(file: nil, commandLine: [Self.option("workers", "x")], directory: "/").configuration()
      Issue.record("it was accepted")
    } catch {
      #expect(error.areUsage)
    }
  }

  @Test("Listeners may have a socket for each slot, in a file and on the command line")
  func reuseport() throws {
    let written = try Self.read(
      """
      command = ["a"]
      [[listen]]
      address = "8080"
      reuseport = true
      [[listen]]
      address = "udp:8443"
      reuseport = "cpu"
      [[listen]]
      address = "8081"
      reuseport = false
      """)
    #expect(written.listeners.map(\.reuseport) == [.even, .cpu, nil])
    #expect(written.listeners[1].address == .udp(.any, port: 8443))
    #expect(written.settings == Settings(queuePerSlot: true))
    let typed = try Self.read(
      "command = [\"a\"]\n",
      [Self.option("listen", "1,reuseport=true", "udp:2,reuseport=cpu,nonblocking=true", "3,reuseport=false")])
    #expect(typed.listeners.map(\.reuseport) == [.even, .cpu, nil])
    #expect(try !Self.read("command = [\"a\"]\nlisten = \"8080\"\n").settings.queuePerSlot)
  }

  @Test("A comma in a socket's path is no option")
  func commas() throws {
    let configuration = try Self.read(
      "command = [\"a\"]\nlisten = [\"unix:/run/a,b.sock\", \"x=unix:/run/c,d,mode=0600\"]\n")
    #expect(configuration.listeners.map(\.address) == [.unix(path: "/run/a,b.sock"), .unix(path: "/run/c,d")])
    #expect(configuration.listeners[1].mode == 0o600)
  }

  @Test(
    "Slips are recognised, and nothing far-fetched",
    arguments: [
      ("worker", "workers"), ("drainTimeout", "drain-timeout"), ("ready_timeout", "ready-timeout"),
      ("listeners", "listen"), ("setle", "settle"), ("frobnicate", nil), ("x", nil),
    ])
  func spelling(_ word: String, _ meant: String?) {
    #expect(Spelling.nearest(to: word, among: Options.names) == meant)
  }

  @Test("A quota of processors is rounded up")
  func quotas() {
    #expect(Processors.processors("150000 100000\n") == 2)
    #expect(Processors.processors("50000 100000\n") == 1)
    #expect(Processors.processors("max 100000\n") == nil)
    #expect(Processors.processors("nonsense") == nil)
    #expect((1...1024).contains(Processors.available()))
  }
}
