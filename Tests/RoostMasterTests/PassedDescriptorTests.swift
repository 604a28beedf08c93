import Testing

@testable import RoostMaster

@Suite("A descriptor that is named in the environment")
struct PassedDescriptorTests {
  @Test("It is taken from the pid that it is from")
  func taken() {
    for numbers: [Int32] in [[7], [3, 8]] {
      #expect(PassedDescriptor.parse(PassedDescriptor.assignment(numbers, from: 42), from: 42) == numbers)
    }
    #expect(PassedDescriptor.parse("41:7", from: 42) == nil)
  }

  @Test(
    "Anything else is none",
    arguments: [
      "", ":", "42", "42:", ":7", "42:7:", "42:7x", "42: 7", "x:7", "42:-1", "42:0", "42:2", "42:4294967303",
      "4294967338:7", "42:99999999999999999999",
    ])
  func none(_ text: String) {
    #expect(PassedDescriptor.parse(text, from: 42) == nil)
  }
}
