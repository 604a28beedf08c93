import RoostProcess
import Testing

@Suite("Damaged files")
struct FuzzTests {
  /// All parsers, on one text. A trap ends the test process.
  private func parse(_ text: ArraySlice<UInt8>) -> Int {
    EpollSet(parsing: text).awaited.count + Ring(parsing: text).registered.count
      + (BlockedCall(parsing: text)?.arguments.count ?? 0) + ProcessTree.children(parsing: text).count
      + AwaitedDescriptors.polled(text).count + AwaitedDescriptors.selected(text).count
      + (DescriptorLink(parsing: text) == .other ? 0 : 1) + (ProcessFacts(parsing: text) == nil ? 0 : 1)
      + (ControlGroup.path(parsing: text)?.utf8.count ?? 0) + (ProcessLimits.fileLocks(parsing: text) == nil ? 0 : 1)
      + BoundSockets.inodes(parsing: text, atPort: 8080, areDatagram: false).count
  }

  @Test("Every beginning and every end of a real file is read")
  func parts() {
    for sample in [Sample.epollSet, Sample.ring, Sample.accept4, Sample.stat, Sample.limits, Sample.tcp] {
      for count in 0...sample.count {
        #expect(parse(sample.prefix(count)) >= 0)
        #expect(parse(sample.suffix(count)) >= 0)
      }
    }
  }

  @Test("Changed bytes, lost ones and doubled ones are read")
  func changes() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var state = seed
    func next(_ bound: Int) -> Int {
      // Knuth's MMIX generator: the upper bits are good enough here.
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let interesting = Array("0123456789abcdefx:=[], \n\t".utf8) + [0, 0x80, 0xff]
    let samples = [
      Sample.epollSet, Sample.ring, Sample.accept4, Sample.stat, Sample.limits, Sample.tcp, Sample.bytes("12 345 6 "),
      Sample.bytes("9:name=systemd:/\n0::/system.slice/web.service\n"),
    ]
    for sample in samples {
      for _ in 0..<3000 {
        var text = Array(sample)
        for _ in 0..<(1 + next(8)) where !text.isEmpty {
          let place = next(text.count)
          switch next(4) {
          case 0: text[place] = interesting[next(interesting.count)]
          case 1: text.remove(at: place)
          case 2: text.insert(contentsOf: text[place...].prefix(20), at: place)
          default: text.insert(interesting[next(interesting.count)], at: place)
          }
        }
        #expect(parse(text[...]) >= 0, "seed \(seed)")
      }
    }
  }
}
