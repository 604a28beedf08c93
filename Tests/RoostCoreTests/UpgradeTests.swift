import RoostCore
import Testing

@Suite("Upgrade of the master")
struct UpgradeTests {
  private static let by = Requester.signal(12)

  private static func proving() -> Service {
    var service = Service.serving()
    service.suppose(.upgradeRequested(by: by))
    return service
  }

  @Test("The new binary proves itself, and takes over then")
  func proves() {
    var service = Service.serving()
    #expect(
      service.after(.upgradeRequested(by: Self.by))
        == Decision(effects: [.proveUpgrade], notices: [.upgradeRequested(by: Self.by)]))
    #expect(service.after(.upgradeProved) == [.replaceMaster])
    #expect(service.after(.upgraded(from: "1.0")) == Decision(effects: [], notices: [.upgraded(from: "1.0")]))
    #expect(service.supervisor.upgrade == nil)
  }

  @Test("One at a time is tried, and answers for all who ask")
  func once() {
    var service = Self.proving()
    #expect(service.after(.upgradeRequested(by: Self.by)) == [])
  }

  @Test("One that can't go on is refused, before or at its execution, and another may be tried")
  func refused() {
    var service = Self.proving()
    #expect(
      service.after(.upgradeFailed(reason: "no"))
        == Decision(effects: [], notices: [.upgradeRefused(.refused(reason: "no"))]))
    #expect(service.after(.upgradeProved) == [], "an answer may be late")
    service.suppose(.upgradeRequested(by: Self.by), .upgradeProved)
    #expect(service.after(.upgradeFailed(reason: "no")).notices == [.upgradeRefused(.refused(reason: "no"))])
    #expect(service.after(.upgradeRequested(by: Self.by)).effects == [.proveUpgrade])
  }

  @Test("One that says nothing is given up after ten seconds")
  func silent() {
    var service = Self.proving()
    #expect(service.after(.milliseconds(9999)) == [])
    #expect(
      service.after(.milliseconds(1))
        == Decision(
          effects: [.abandonProof], notices: [.upgradeRefused(.tookTooLong(.seconds(10)))]))
  }

  @Test("A reload goes on meanwhile, and so does a stop; a master that ends has none")
  func meanwhile() {
    var service = Self.proving()
    #expect(service.after(.hup).effects.contains(.announce(.reloading)))
    service.suppose(.term)
    #expect(service.after(.exit(.first(0))).effects == [.abandonProof, .exit(.stopped, atOnce: false)])
    #expect(service.after(.upgradeRequested(by: Self.by)) == [])
  }
}
