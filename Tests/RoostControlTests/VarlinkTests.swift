import RoostControl
import RoostJSON
import Testing

@Suite("Varlink messages")
struct VarlinkTests {
  @Test("A call is read as it was written")
  func calls() {
    let call = VarlinkCall(method: "a.B.C", parameters: ["x": 1], more: true, oneway: true)
    #expect(VarlinkCall(parsing: Varlink.bytes(of: call.json).dropLast()) == call)
    #expect(VarlinkCall(parsing: Array(#"{"method":"a.B"}"#.utf8)) == VarlinkCall(method: "a.B"))
    #expect(VarlinkCall(parsing: Array(#"{"method":"a.B","parameters":null}"#.utf8)) == VarlinkCall(method: "a.B"))
  }

  @Test(
    "What is no call",
    arguments: ["", "{}", "[]", "1", #"{"method":1}"#, #"{"method":"a","parameters":[]}"#, #"{"method":"a"} x"#])
  func noCalls(_ text: String) {
    #expect(VarlinkCall(parsing: Array(text.utf8)) == nil)
  }

  @Test("A reply is read as it was written")
  func replies() {
    for reply in [
      VarlinkReply(), VarlinkReply(parameters: ["x": "y"], continues: true),
      VarlinkReply(error: "a.B", parameters: ["why": .null]),
    ] {
      #expect(VarlinkReply(parsing: Varlink.bytes(of: reply.json).dropLast()) == reply)
    }
  }

  @Test("A message ends with the only NUL in it")
  func terminator() {
    let bytes = Varlink.bytes(of: ["text": "a\u{0}b"])
    #expect(bytes.firstIndex(of: Varlink.terminator) == bytes.count - 1)
  }

  @Test("Any bytes at all are a call or none")
  func garbage() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var state = seed
    let words = Array(#"{"method":"roost.Control.Reload","parameters":{"drained":true},"more":true}"#.utf8)
    for _ in 0..<20000 {
      var bytes = words
      for _ in 0..<3 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 24)
      }
      if let call = VarlinkCall(parsing: bytes) {
        #expect(VarlinkCall(parsing: Array(call.json.text.utf8)) == call, "seed \(seed)")
      }
    }
  }
}
