import RoostConfiguration
import Testing

@testable import RoostOptions

@Suite("Placeholders")
struct PlaceholderTests {
  private let placeholders = Placeholders(
    listeners: [
      ListenerConfiguration(name: "http", address: .tcp(.any, port: 80)),
      ListenerConfiguration(name: "admin", address: .unix(path: "/run/a")),
    ], hasReadinessPipe: true)

  private func segments(_ text: String) throws -> [Template.Segment] { try placeholders.template(text).segments }

  @Test("Each placeholder is taken out of its text")
  func known() throws {
    #expect(try segments("--fd={fd}") == [.text("--fd="), .descriptor(listener: "http")])
    #expect(try segments("{fd:admin}") == [.descriptor(listener: "admin")])
    #expect(
      try segments("a{port:http}b{address:admin}") == [
        .text("a"), .port(listener: "http"), .text("b"), .address(listener: "admin"),
      ])
    #expect(try segments("{port}{address}") == [.port(listener: "http"), .address(listener: "http")])
    #expect(try segments("{slot}-{generation}") == [.slot, .text("-"), .generation])
    #expect(try segments("{ready-fd}") == [.readyDescriptor])
    #expect(try segments("{directory}/server.js") == [.directory, .text("/server.js")])
  }

  @Test(
    "Other text in braces stays as it is",
    arguments: [
      "", "plain", #"{"a": 1}"#, #"{"a":{"b":[{}]}}"#, "{}", "{ fd }", "{0}", "{FD}", "{fd", "fd}", "{{.Name}}",
      "{{ slot }}",
      "a{b,c}", "${name}", "x${slot}y", "{a.b}", "{fd:3}", "listen({port:8080})", "{-}", "{--}", "f'{i}'", "{fd:}",
      "{fd:a b}", "{fd\n}", "{é}",
    ])
  func literal(_ text: String) throws {
    #expect(try segments(text) == [.text(text)])
  }

  @Test("A listener may have a number as its name")
  func number() throws {
    let numbered = Placeholders(
      listeners: [ListenerConfiguration(name: "80", address: .tcp(.any, port: 80))], hasReadinessPipe: false)
    #expect(try numbered.template("{port:80}").segments == [.port(listener: "80")])
    #expect(try numbered.template("{port:81}").segments == [.text("{port:81}")])
  }

  @Test("Doubled braces stand for single ones, where these would be a placeholder")
  func doubled() throws {
    #expect(try segments("{{slot}} {{no-such}} {{fd:http}}") == [.text("{slot} {no-such} {fd:http}")])
    #expect(try segments("{{{slot}}}") == [.text("{{slot}}")])
    #expect(try segments("{{slot}") == [.text("{"), .slot])
    #expect(try segments("{slot}}") == [.slot, .text("}")])
  }

  @Test(
    "What can't be filled in is refused with what may have been meant",
    arguments: [
      ("{slots}", "there is no placeholder '{slots}': did you mean '{slot}'? ('{{slots}}' stands for this very text)"),
      (
        "{time}",
        "there is no placeholder '{time}': known are {fd}, {port}, {address}, {directory}, {slot}, {generation}, {ready-fd} ('{{time}}' stands for this very text)"
      ),
      ("{fd:htp}", "'{fd:htp}': there is no listener \"htp\": did you mean \"http\"?"),
      ("{fd:other}", "'{fd:other}': there is no listener \"other\": known are http, admin"),
      ("{port:admin}", "'{port:admin}': the listener \"admin\" is a unix socket, which has no port"),
      ("{slot:http}", "'{slot:http}' names a listener, which has no meaning with '{slot}'"),
    ])
  func refused(_ text: String, _ expected: String) {
    do {
      _ = try placeholders.template(text)
      Issue.record("\(text) was taken")
    } catch {
      #expect(error.description == expected)
    }
  }

  @Test("What isn't there can't be filled in", arguments: [("{fd}", "needs a listener"), ("{ready-fd}", "'ready'")])
  func missing(_ text: String, _ expected: String) {
    do {
      _ = try Placeholders(listeners: [], hasReadinessPipe: false).template(text)
      Issue.record("\(text) was taken")
    } catch {
      #expect(error.description.contains(expected))
    }
  }
}
