import Testing

@testable import RoostMaster

@Suite("What waits to be told to systemd")
struct UpstreamQueueTests {
  private func subjects(_ added: UpstreamMessage.Subject...) -> [UpstreamMessage.Subject] {
    var queue = UpstreamQueue()
    for subject in added { queue.append(UpstreamMessage(subject, "")) }
    return queue.messages.map(\.subject)
  }

  @Test("The newest state takes the place of the former one, and of its status")
  func states() {
    #expect(subjects(.state, .status, .moreTime, .state) == [.state])
    #expect(subjects(.reloading, .moreTime, .state, .reloading) == [.reloading])
  }

  @Test("The end of a reload doesn't hide its beginning")
  func reload() {
    #expect(subjects(.state, .reloading, .status, .state) == [.reloading, .state])
    #expect(subjects(.reloading, .state, .reloading, .state, .status) == [.reloading, .state, .status])
  }

  @Test("What is to be kept is never hidden but by what is about the same name")
  func kept() {
    #expect(subjects(.keep("a"), .keep("b"), .state, .keep("a")) == [.keep("b"), .state, .keep("a")])
    #expect(subjects(.keep("a"), .keep("b"), .drop("a")) == [.keep("b"), .drop("a")])
  }

  @Test("The watchdog comes first")
  func watchdog() {
    #expect(subjects(.state, .watchdog, .status, .watchdog) == [.watchdog, .state, .status])
  }

  @Test("Of what is given up the newest state stays")
  func givenUp() {
    var queue = UpstreamQueue()
    for subject: UpstreamMessage.Subject in [.keep("a"), .reloading, .state, .moreTime, .status] {
      queue.append(UpstreamMessage(subject, ""))
    }
    #expect(queue.removePassing().map(\.subject) == [.keep("a"), .reloading, .moreTime, .status])
    #expect(queue.messages.map(\.subject) == [.state])
  }
}
