import Glibc
import RoostProcess
import Testing

@testable import RoostMaster

@Suite("Retirees")
struct RetireeTests {
  private func facts(_ pid: Int, parent: Int, group: Int) throws -> (pid: pid_t, facts: ProcessFacts) {
    (pid_t(pid), try #require(ProcessFacts(parsing: Array("\(pid) (x) S \(parent) \(group) \(group)".utf8)[...])))
  }

  private func subject(_ processes: [pid_t], group: pid_t?) -> RetireeSearch.Subject {
    RetireeSearch.Subject(worker: 1, processes: processes, group: group, listeners: [], places: nil, former: nil)
  }

  @Test("To a retiree belong its descendants, in whatever group, and its group, whoever the parent is by now")
  func members() throws {
    let processes = [
      try facts(1, parent: 0, group: 1), try facts(10, parent: 1, group: 10), try facts(11, parent: 10, group: 11),
      try facts(12, parent: 1, group: 10), try facts(20, parent: 1, group: 20), try facts(13, parent: 11, group: 13),
      try facts(21, parent: 20, group: 20),
    ]
    #expect(RetireeSearch.members(of: subject([10], group: 10), among: processes) == [10, 11, 12, 13])
    // Of one that has exited: its stray, and no group.
    #expect(RetireeSearch.members(of: subject([11], group: nil), among: processes) == [11, 13])
    #expect(RetireeSearch.members(of: subject([], group: nil), among: processes) == [])
  }

  private func sight(_ connections: Int?, _ peers: [String] = []) -> RetireeSearch.Sight {
    RetireeSearch.Sight(worker: 1, accepts: true, connections: connections, peers: peers, sockets: nil)
  }

  @Test("What was told before the look was cut off counts")
  func cutOff() {
    let whole = #"{"worker":1,"accepts":true,"connections":2,"peers":[],"sockets":null}"#
    let half = #"{"worker":2,"accep"#
    #expect(RetireeSearch.sights(Array("\(whole)\n\(half)".utf8)) == [sight(2)])
    #expect(RetireeSearch.sights([]) == [])
  }

  @Test("The words say what is known, and no more")
  func words() {
    func text(_ sight: RetireeSearch.Sight, ago: Duration? = .milliseconds(1600)) -> String {
      Workers.acceptsText(who: "worker 7", signal: "SIGQUIT", ago: ago, sight, left: .milliseconds(58_400))
    }
    #expect(
      text(sight(7, ["10.0.0.7:1", "[::1]:2"]))
        == "worker 7 was sent SIGQUIT 2s ago and still accepts connections; it has 7 open connections (from 10.0.0.7:1, [::1]:2 and 5 "
        + "more) and may continue until its drain timeout ends in 58s")
    #expect(
      text(sight(nil), ago: nil)
        == "worker 7 was sent SIGQUIT and still accepts connections; it may continue until its drain timeout ends in 58s"
    )
    #expect(sight(0).connectionsText == "no open connection")
    #expect(sight(1, ["10.0.0.7:1"]).connectionsText == "1 open connection (from 10.0.0.7:1)")
    #expect(sight(3).connectionsText == "3 open connections")
  }
}
