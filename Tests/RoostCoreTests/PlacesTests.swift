import RoostCore
import Testing

@Suite("Places of clients")
struct PlacesTests {
  private let places = Places(idle: 4, waiting: 4, share: 2)

  /// A client that has been silent since that second.
  private func client(
    _ user: UInt32?, _ wait: Places.Wait = .nothing, since second: Int = 0, process: Int32? = nil,
    isAllowed: Bool = true
  ) -> Places.Client {
    Places.Client(
      user: user, process: process, isPrivileged: user == 0, isAllowed: isAllowed, wait: wait,
      lastActive: Instant(sinceOrigin: .seconds(second)))
  }

  @Test("Those who wait for something take no place of those who don't")
  func full() {
    #expect(!places.isFull([client(1), client(1), client(1), client(1, .end), client(1, .events)]))
    #expect(places.isFull([client(1), client(2), client(3), client(4)]))
  }

  @Test("Who has been silent for longest makes room")
  func idlest() {
    #expect(places.idlest([client(1, since: 3), client(1, since: 1), client(1, since: 2)]) == 1)
    #expect(places.idlest([client(1, .events), client(1, .drain), client(1, .end)]) == nil)
    #expect(places.idlest([]) == nil)
  }

  @Test("A crowd displaces itself, be it of a user or of a process")
  func crowds() {
    #expect(places.idlest([client(1, since: 1), client(2, since: 3), client(2, since: 2)]) == 2)
    #expect(places.idlest([client(0, since: 1), client(0, since: 3), client(2, since: 2)]) == 0)
    #expect(
      places.idlest([client(0, since: 1, process: 7), client(0, since: 2, process: 8), client(0, since: 3, process: 8)])
        == 1)
    // Of the same number: not root.
    #expect(places.idlest([client(0, since: 1), client(1, since: 2)]) == 1)
    // Where the kernel tells nobody's name, all are one.
    #expect(places.idlest([client(nil, since: 2), client(nil, since: 1)]) == 1)
  }

  @Test("Who mayn't be there goes before all others")
  func strangers() {
    #expect(places.idlest([client(1, since: 1), client(1, since: 1), client(9, since: 5, isAllowed: false)]) == 2)
  }

  @Test("One user has a share of the places for those who wait, the others have the rest")
  func share() {
    let one = [client(1, .end), client(1, .drain)]
    #expect(places.admission(client(1, .end), beside: one) == .refused)
    #expect(places.admission(client(2, .end), beside: one) == .free)
    let two = one + [client(2, .end), client(2, .end)]
    #expect(places.admission(client(3, .end), beside: two) == .refused)
    // Root's are others.
    #expect(places.admission(client(0, .end), beside: two) == .free)
    #expect(places.admission(client(3, .end), beside: Array(repeating: client(0, .end), count: 9)) == .free)
  }

  @Test("Who only listens makes room for who wants something")
  func listening() {
    #expect(places.admission(client(1, .end), beside: [client(1, .end), client(1, .events)]) == .inPlaceOf(1))
    // Its own share is taken: others keep their places.
    #expect(
      places.admission(client(1, .end), beside: [client(2, .events), client(1, .end), client(1, .end)]) == .refused)
    let all = [
      client(2, .end), client(2, .events, since: 1), client(3, .events, since: 2), client(3, .events, since: 3),
    ]
    #expect(places.admission(client(1, .end), beside: all) == .inPlaceOf(2))
    #expect(places.admission(client(1, .events), beside: all) == .inPlaceOf(2))
  }

  @Test("Root isn't refused: who waits for least goes, and nobody for something less than that")
  func root() {
    func others(_ waits: Places.Wait...) -> [Places.Client] { waits.map { client(0, $0) } }
    #expect(places.admission(client(0, .end), beside: others(.end, .end, .end)) == .free)
    #expect(places.admission(client(0, .end), beside: others(.end, .drain, .events, .drain)) == .inPlaceOf(2))
    #expect(places.admission(client(0, .end), beside: others(.end, .end, .drain, .end)) == .inPlaceOf(2))
    #expect(places.admission(client(0, .end), beside: others(.end, .end, .end, .end)) == .inPlaceOf(0))
    #expect(places.admission(client(0, .events), beside: others(.end, .end, .drain, .end)) == .refused)
  }

  @Test("A crowd that waits displaces itself, and not the operator who was there before")
  func waitingCrowd() {
    let operators = client(0, .end, since: 1, process: 7)
    let crowd = [client(0, .end, since: 2, process: 8), client(0, .end, since: 3, process: 8)]
    let larger = [operators] + crowd + [client(0, .end, since: 4, process: 8)]
    #expect(places.admission(client(0, .end, process: 8), beside: larger) == .inPlaceOf(1))
  }
}
