import RoostControl
import Testing

@Suite("Where what outlives a service is")
struct StatePlaceTests {
  @Test(
    "Workers are told of the directories that are theirs, and not of the master's own",
    arguments: [
      ("/var/lib/roost/web", nil), ("/var/lib/web", "/var/lib/web"),
      ("/var/lib/roost/web:/var/lib/web", "/var/lib/web"),
      ("/var/lib/a:/var/lib/roost/web:/var/lib/b", "/var/lib/a:/var/lib/b"), ("/var/lib/private/roost/web", nil),
      ("/var/lib/roost", "/var/lib/roost"), ("/var/lib/roost/web/data", "/var/lib/roost/web/data"), ("", nil),
    ])
  func forWorkers(_ value: String, _ expected: String?) {
    #expect(StatePlace.forWorkers(value) == expected)
  }
}
