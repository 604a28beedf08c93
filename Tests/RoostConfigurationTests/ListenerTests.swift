import RoostConfiguration
import Testing

private func listener(_ text: String, _ change: (inout ListenerConfiguration) -> Void = { _ in }) throws
  -> ListenerConfiguration
{
  var listener = try ListenerConfiguration(parsing: text, directory: "/")
  change(&listener)
  return listener
}

@Suite("What becomes of listeners when others are wanted")
struct ListenerPlanTests {
  private func steps(_ open: [String], _ wanted: [String]) throws -> [ListenerPlan.Step] {
    try ListenerPlan(open: open.map { try listener($0) }, wanted: wanted.map { try listener($0) }).steps
  }

  @Test("Those that are open and wanted stay, in whatever sequence")
  func stay() throws {
    #expect(try steps(["a=1", "b=2", "c=unix:/c"], ["c=unix:/c", "a=1"]) == [.keep([2]), .keep([0])])
  }

  @Test("An added one is opened, and so is one whose address has moved")
  func added() throws {
    #expect(try steps(["a=1"], ["a=1", "b=2"]) == [.keep([0]), .open])
    #expect(try steps(["a=1"], ["a=2"]) == [.open])
    #expect(try steps(["a=1"], ["a=127.0.0.1:1"]) == [.open])
  }

  @Test("One that has only another name is the same socket, also where two swap theirs")
  func renamed() throws {
    #expect(try steps(["a=1"], ["b=1"]) == [.keep([0])])
    #expect(try steps(["a=1", "b=2"], ["b=1", "a=2"]) == [.keep([0]), .keep([1])])
  }

  @Test("Where the kernel chooses the port, the name decides")
  func chosenByKernel() throws {
    #expect(try steps(["a=0", "b=0"], ["b=0", "c=0"]) == [.keep([1]), .open])
  }

  @Test("All sockets stay that systemd has passed under one name")
  func several() throws {
    #expect(try steps(["systemd:web", "systemd:web"], ["systemd:web"]) == [.keep([0, 1])])
  }

  @Test("Two wanted ones never get the same socket")
  func once() throws {
    #expect(try steps(["systemd:web", "systemd:web"], ["systemd:web", "b=systemd:web"]) == [.keep([0, 1]), .open])
  }

  @Test("Options that can be changed in place don't matter")
  func options() throws {
    let open = try listener("a=unix:/a")
    let wanted = try listener("a=unix:/a") {
      $0.backlog = 7
      $0.isFreebind = true
      $0.mode = 0o660
      $0.user = 1
      $0.group = 1
    }
    #expect(try ListenerPlan(open: [open], wanted: [wanted]).steps == [.keep([0])])
  }

  @Test("What can't be changed in an open socket is refused, unless it means the same")
  func fixed() throws {
    let open = try listener("a=1")
    for change: (inout ListenerConfiguration) -> Void in [{ $0.isNonblocking = true }, { $0.isIPv6Only = true }] {
      let wanted = try listener("b=1", change)
      #expect(throws: ConfigurationError.self) { try ListenerPlan(open: [open], wanted: [wanted]) }
      // Opened anew it can have any.
      #expect(try ListenerPlan(open: [], wanted: [wanted]).steps == [.open])
    }
    let same = try listener("a=1") { $0.isIPv6Only = false }
    #expect(try ListenerPlan(open: [open], wanted: [same]).steps == [.keep([0])])
  }
}

@Suite("Names in the fd store")
struct StoredNameTests {
  @Test("They have no colon and tell address and name")
  func names() throws {
    #expect(StoredName.of(try listener("http=8080")) == "roost/http=*%3A8080")
    #expect(StoredName.of(try listener("http=[::1]:80")) == "roost/http=[%3A%3A1]%3A80")
    #expect(StoredName.of(try listener("unix:/run/ü %.sock")).hasSuffix("=unix%3A/run/%C3%BC%20%25.sock"))
  }

  @Test("Options don't change them")
  func options() throws {
    #expect(StoredName.of(try listener("a=1") { $0.backlog = 1 }) == StoredName.of(try listener("a=1")))
  }

  @Test("Long ones are cut, and remain different")
  func long() throws {
    let names = try ["x", "y"].map { end in
      StoredName.of(
        try listener(String(repeating: "n", count: 254) + end + "=unix:/" + String(repeating: "ü", count: 50)))
    }
    #expect(names.allSatisfy { $0.utf8.count == 255 })
    #expect(Set(names).count == 2)
  }

  @Test("No name of a .socket unit's default is taken for one")
  func foreign() {
    #expect(StoredName.isOne("roost/http=*%3A8080"))
    #expect(!StoredName.isOne("web.socket"))
    #expect(!StoredName.isOne("roost"))
    #expect(!StoredName.isOne(""))
  }
}
