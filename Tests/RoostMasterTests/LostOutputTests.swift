import RoostCore
import Testing

@testable import RoostMaster

@Suite struct LostOutputTests {
  private let start = Instant(sinceOrigin: .seconds(1000))

  @Test("The beginning and the end are told")
  func pair() {
    var lost = LostOutput()
    let isFirst = lost.add(10, 28, at: start)
    let isSecond = lost.add(5, 28, at: start + .seconds(120))
    #expect(isFirst && !isSecond)
    #expect(lost.isToBeTold(at: start))
    #expect(lost.count == 15)
  }

  @Test("A disk that is full for every second line is told once a minute")
  func flapping() {
    var lost = LostOutput()
    _ = lost.add(10, 28, at: start)
    lost.told(at: start)
    #expect(!lost.isToBeTold(at: start))
    let isToldSoAgain = lost.add(7, 28, at: start + .seconds(1))
    #expect(!isToldSoAgain)
    #expect(!lost.isToBeTold(at: start + .seconds(59)))
    #expect(lost.isToBeTold(at: start + .seconds(60)))
    #expect(lost.count == 7)
  }
}
