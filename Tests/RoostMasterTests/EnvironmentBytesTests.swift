import Testing

@testable import RoostMaster

@Suite("Environments that aren't text")
struct EnvironmentBytesTests {
  @Test("Text is itself")
  func text() {
    #expect(EnvironmentBytes.text(of: Array("A=é😀".utf8)) == "A=é😀")
    #expect(EnvironmentBytes.bytes(of: "A=é😀") == Array("A=é😀".utf8))
  }

  @Test("Any bytes survive, also those that look like what stands for bytes")
  func bytes() {
    let standIns = Array("\u{10ff80}\u{10ffff}".utf8)
    for bytes in [Array(1...255), standIns, standIns + [0xff], [0xf4, 0x8f, 0xbe], [0xf4, 0x8f] + standIns] {
      #expect(EnvironmentBytes.bytes(of: EnvironmentBytes.text(of: bytes)) == bytes)
    }
    for _ in 0..<2000 {
      let pieces: [[UInt8]] = [[0xf4], [0x8f], [0xbe], [0xbf], [0x80], [0xff], [0x41], Array("é".utf8), standIns]
      let bytes = (0..<Int.random(in: 0...8)).flatMap { _ in pieces.randomElement()! }
      #expect(EnvironmentBytes.bytes(of: EnvironmentBytes.text(of: bytes)) == bytes, "\(bytes)")
    }
  }

  @Test("A C string has the bytes")
  func cString() {
    let strings = CStrings(environment: [EnvironmentBytes.text(of: [0x41, 0x3d, 0xfc, 0x42]), "C=d"])
    #expect(
      strings.pointers[0].map { Array(UnsafeRawBufferPointer(start: $0, count: 5)) } == [0x41, 0x3d, 0xfc, 0x42, 0])
    #expect(strings.pointers[1].map { String(cString: $0) } == "C=d")
    #expect(strings.pointers[2] == nil)
  }
}
