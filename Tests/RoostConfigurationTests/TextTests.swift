import RoostConfiguration
import Testing

@Suite("What operators write")
struct TextTests {
  @Test(
    "Durations",
    arguments: [
      ("0", 0), ("0s", 0), ("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("1h", 3_600_000), ("1m30s", 90_000),
      ("90s", 90_000), ("168h", 604_800_000),
    ])
  func durations(_ text: String, _ milliseconds: Int) throws {
    #expect(try Duration(parsing: text) == .milliseconds(milliseconds))
    #expect(try Duration(parsing: Duration.milliseconds(milliseconds).text) == .milliseconds(milliseconds))
  }

  @Test(
    "What is no duration",
    arguments: ["", "5", "s", "5 s", "-5s", "+5s", "1.5s", "5sec", "5S", "169h", "99999999s", "٣s", "5s ", "ms5"])
  func noDurations(_ text: String) {
    #expect(throws: ConfigurationError.self) { try Duration(parsing: text) }
  }

  @Test("Addresses, written back as they are read")
  func addresses() throws {
    for (text, address, written) in [
      ("8080", Address.tcp(.any, port: 8080), "*:8080"),
      ("*:8080", .tcp(.any, port: 8080), "*:8080"),
      ("0", .tcp(.any, port: 0), "*:0"),
      ("127.0.0.1:80", .tcp(.ipv4("127.0.0.1"), port: 80), "127.0.0.1:80"),
      ("[::1]:80", .tcp(.ipv6("::1"), port: 80), "[::1]:80"),
      ("unix:/run/x.sock", .unix(path: "/run/x.sock"), "unix:/run/x.sock"),
      ("unix:x.sock", .unix(path: "/srv/x.sock"), "unix:/srv/x.sock"),
      ("systemd:http", .systemd(name: "http"), "systemd:http"),
      ("udp:443", .udp(.any, port: 443), "udp:*:443"),
      ("udp:127.0.0.1:443", .udp(.ipv4("127.0.0.1"), port: 443), "udp:127.0.0.1:443"),
      ("udp:[::1]:443", .udp(.ipv6("::1"), port: 443), "udp:[::1]:443"),
    ] {
      #expect(try Address(parsing: text, directory: "/srv") == address)
      #expect(address.description == written)
      #expect(try Address(parsing: written, directory: "/") == address)
    }
  }

  @Test(
    "What is no address",
    arguments: [
      "", ":", "80x", "65536", "-1", "+80", ":80", "localhost:80", "::1:80", "[::1]", "[127.0.0.1]:80", "1.2.3:80",
      "127.0.0.1:", "127.0.0.1:80:80", "unix:", "unix:/run/", "unix:/" + String(repeating: "x", count: 107),
      "systemd:", "systemd:a:b", "tcp:80", "٨٠", "udp:", "udp:localhost:80", "udp:unix:/x", "UDP:80", "udp:udp:80",
    ])
  func noAddresses(_ text: String) {
    #expect(throws: ConfigurationError.self) { try Address(parsing: text, directory: "/") }
  }

  @Test("A listener is named by the operator or by its address")
  func listeners() throws {
    for (text, name) in [
      ("http=8080", "http"), ("8080", "tcp-8080"), ("unix:/run/a=b.sock", "unix-ab.sock"), ("systemd:web", "web"),
      ("admin=unix:/run/a=b.sock", "admin"), ("api=systemd:web", "api"),
      ("udp:443", "udp-443"), ("quic=udp:443", "quic"),
    ] {
      #expect(try ListenerConfiguration(parsing: text, directory: "/").name == name)
    }
    for text in ["=8080", "a b=8080", "é=8080", "http=", "a=b=8080"] {
      #expect(throws: ConfigurationError.self) { try ListenerConfiguration(parsing: text, directory: "/") }
    }
  }

  @Test("Stop signals, by name or number")
  func signals() throws {
    for text in ["TERM", "SIGTERM", "term", "15"] { #expect(try StopSignal(parsing: text) == .term) }
    for text in ["KILL", "9", "STOP", "", "SIG", "TERMX", "0"] {
      #expect(throws: ConfigurationError.self) { try StopSignal(parsing: text) }
    }
  }

  @Test("Service names")
  func names() throws {
    for name in ["web", "web@1", "a.b-c_d", "0"] { #expect(try ServiceName.validate(name) == name) }
    for name in ["", ".", "..", "a/b", "a b", "é", "a\n", String(repeating: "x", count: 65)] {
      #expect(throws: ConfigurationError.self) { try ServiceName.validate(name) }
    }
    #expect(ServiceName.derived(from: "/srv/my app/bin/server.py") == "server.py")
    #expect(ServiceName.derived(from: "./.é") == "service")
  }
}
