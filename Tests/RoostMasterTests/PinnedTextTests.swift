import Foundation
import RoostConfiguration
import RoostJSON
import Testing

@testable import RoostMaster

/// Two releases in a folder of the test's own, and a link to the first.
private final class Deployment {
  let folder: String

  init() throws {
    let place = FileManager.default.temporaryDirectory.appendingPathComponent("roost-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    folder = place.resolvingSymlinksInPath().path
    try directory("releases/1/bin")
    try file("releases/1/app.js", mode: 0o644)
    try file("releases/1/bin/server", mode: 0o755)
    try file("tool", mode: 0o755)
    try link("current", to: "releases/1")
    try link("app.jar", to: "releases/1/app.js")
    try link("releases/1/bin/python", to: "../../../tool")
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func directory(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
  }

  func file(_ path: String, mode: Int) throws {
    try #require(
      FileManager.default.createFile(
        atPath: "\(folder)/\(path)", contents: Data(), attributes: [.posixPermissions: mode]))
  }

  func link(_ path: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: "\(folder)/\(path)", withDestinationPath: target)
  }

  /// A text with the folder in place of `@`.
  func text(_ text: String) -> String { text.replacingOccurrences(of: "@", with: folder) }
}

@Suite("Paths in the operator's texts")
struct PinnedTextTests {
  private let deployment: Deployment

  init() throws { deployment = try Deployment() }

  private func check(_ text: String, _ expected: String, _ pin: (String) -> String) {
    #expect(pin(deployment.text(text)) == deployment.text(expected))
  }

  @Test(
    "An argument names its release where it is a path as a whole, or behind an equals sign",
    arguments: [
      ("@/current", "@/releases/1"), ("@/current/", "@/releases/1/"), ("@/current/app.js", "@/releases/1/app.js"),
      ("@/app.jar", "@/releases/1/app.js"), ("--root=@/current", "--root=@/releases/1"),
      ("-Dapp.home=@/current/bin", "-Dapp.home=@/releases/1/bin"), ("A=@/current", "A=@/releases/1"),
      ("@/app.jar:@/current/lib/*:/no", "@/releases/1/app.js:@/current/lib/*:/no"),
      ("@/app.jar:@/current/*", "@/releases/1/app.js:@/releases/1/*"), ("@/current/../1/app.js", "@/releases/1/app.js"),
    ])
  func argument(_ text: String, _ expected: String) { check(text, expected) { PinnedText.argument($0) } }

  @Test(
    "An executable keeps its name, and so does what isn't there",
    arguments: [
      ("@/current/bin/python", "@/releases/1/bin/python"), ("@/current/bin/server", "@/releases/1/bin/server"),
      ("@/current/new", "@/releases/1/new"),
    ])
  func name(_ text: String, _ expected: String) {
    check(text, expected) { PinnedText.argument($0) }
    check(text, expected) { PinnedText.path($0) }
  }

  @Test(
    "Anything else stays as it is",
    arguments: [
      "", "/", "-", "=", "=@/current", "current", "./current", "x@/current", "exec @/current/app.js", "a b=@/current",
      "@/no/such/path", "@/current/no/such", "@/releases/1/app.js", "@/tool", "http://current@/current",
      "--url=http:/@/current",
      "//@/current", "/bin/sh", "/usr/bin/env", "/proc/self/exe", "/dev/stdin", "/dev/fd/0", "/etc/localtime", "/run/x",
      "/var/run/x", "{\"a\": \"@/current\"}",
    ])
  func others(_ text: String) { check(text, text) { PinnedText.argument($0) } }

  @Test(
    "The parts of a variable's value are paths of their own",
    arguments: [
      ("@/current/bin:/usr/bin:/bin", "@/releases/1/bin:/usr/bin:/bin"), (":@/current:", ":@/releases/1:"),
      ("bin:@/current", "bin:@/releases/1"), ("--require=@/current/app.js", "--require=@/releases/1/app.js"),
      ("https://host@/current", "https://host@/current"), ("", ""), (":", ":"),
    ])
  func value(_ text: String, _ expected: String) { check(text, expected) { PinnedText.value($0) } }

  @Test("Of a text that is filled in only the directories are known")
  func template() {
    func pinned(_ text: String) -> String {
      let template = PinnedText.template(Template([.text(deployment.text(text)), .slot]), PinnedText.argument)
      guard case .text(let result) = template.segments[0] else { return "" }
      return result
    }
    #expect(pinned("@/current/log-") == deployment.text("@/releases/1/log-"))
    #expect(pinned("@/current/") == deployment.text("@/releases/1/"))
    // `current1` would be another directory.
    #expect(pinned("@/current") == deployment.text("@/current"))
    #expect(PinnedText.template(Template([.slot, .text("/current")]), PinnedText.argument).segments.count == 2)
  }

  @Test("Links that don't end, and what Kubernetes replaces, aren't pinned")
  func odd() throws {
    try deployment.link("loop", to: "loop")
    try deployment.directory("config/..2026")
    try deployment.file("config/..2026/app.yaml", mode: 0o644)
    try deployment.link("config/..data", to: "..2026")
    try deployment.link("config/app.yaml", to: "..data/app.yaml")
    for text in ["@/loop", "@/loop/x", "@/config/app.yaml"] { check(text, text) { PinnedText.argument($0) } }
  }

  @Test("A whole configuration is pinned, and says what couldn't be")
  func configuration() {
    var worker = WorkerConfiguration(
      command: ["@/current/bin/python", "@/current/app.js", "exec @/current/x", "", "-I@/current/lib"].map(
        deployment.text))
    worker.argumentTemplates = [
      ArgumentTemplate(
        index: 3, template: Template([.directory, .text(deployment.text("@/current x:@/current/app.js"))]))
    ]
    worker.environment = ["PATH=@/current/bin:/bin", "OPTIONS=-a -b=@/current"].map(deployment.text)
    worker.variableTemplates = [
      VariableTemplate(name: "LOG", template: Template([.text(deployment.text("@/current/")), .slot]))
    ]
    let pinned = worker.pinned(in: "/srv")
    #expect(pinned.directory == "/srv")
    #expect(
      pinned.command
        == ["@/releases/1/bin/python", "@/releases/1/app.js", "exec @/current/x", "", "-I@/current/lib"].map(
          deployment.text))
    #expect(pinned.environment == ["PATH=@/releases/1/bin:/bin", "OPTIONS=-a -b=@/current"].map(deployment.text))
    #expect(pinned.variableTemplates[0].template.segments == [.text(deployment.text("@/releases/1/")), .slot])
    let left = UnpinnedPath.all(in: pinned).map { "\($0.place): \($0.path) → \($0.target)" }
    #expect(
      left
        == [
          "argument 2 of the command: @/current/x → @/releases/1/x",
          "argument 3 of the command: @/current/app.js → @/releases/1/app.js",
          "argument 4 of the command: @/current/lib → @/releases/1/lib",
          "the variable OPTIONS: @/current → @/releases/1",
        ].map(deployment.text))
    #expect(pinned.pinned(in: "/srv") == pinned)
  }

  @Test("A pinned release is complete as JSON, and one of a former version can be read")
  func coding() throws {
    var worker = WorkerConfiguration(command: ["/srv/server", "x"])
    worker.argumentTemplates = [ArgumentTemplate(index: 1, template: Template([.directory]))]
    let release = PinnedRelease(
      directory: "/srv", executable: "/srv/server", isBinary: true,
      programs: [PinnedRelease.Program(command: "check", path: "/bin/check")], worker: worker)
    let json = try JSON(parsing: Array(JSON(encoding: release).text.utf8))
    let read = try json.decode(PinnedRelease.self)
    #expect(read.worker == worker)
    #expect((read.directory, read.executable, read.isBinary) == ("/srv", "/srv/server", true))
    #expect(read.programs?.map(\.path) == ["/bin/check"])

    let former: JSON = ["directory": "/srv", "executable": "/srv/server", "programs": []]
    #expect(try former.decode(PinnedRelease.self).worker == nil)
    let damaged: JSON = ["directory": "/srv", "executable": "/srv/server", "worker": ["command": []]]
    #expect(throws: (any Error).self) { try damaged.decode(PinnedRelease.self) }
  }
}
