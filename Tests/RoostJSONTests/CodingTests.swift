import RoostJSON
import Testing

@Suite("Coding")
struct CodingTests {
  enum Shape: Codable, Equatable {
    case point
    case circle(radius: Duration)
    case polygon([Int], name: String?)
  }

  struct Everything: Codable, Equatable {
    var shapes: [Shape] = [
      .point, .circle(radius: .nanoseconds(-5)), .polygon([1, -2], name: nil), .polygon([], name: "a"),
    ]
    var unsigned = UInt64.max
    var small: UInt8 = 255
    var flag = true
    var set: Set<Int> = [3]
    var nothing: String?
    var json: JSON = ["x": [1, .null]]
  }

  @Test("What was encoded is decoded as the same")
  func roundTrip() throws {
    let value = Everything()
    let text = try JSON(encoding: value).text
    #expect(try JSON(parsing: Array(text.utf8)).decode(Everything.self) == value)
  }

  @Test("A time that is too long to be counted in milliseconds is refused", arguments: [Int.max, .min])
  func endlessTime(high: Int) throws {
    let json: JSON = ["radius": [.integer(high), 0]]
    #expect(throws: DecodingError.self) { try json.decode([String: Duration].self) }
  }

  private struct Nothing: Codable {
    var (text, flag, whole): (String?, Bool?, Int?)
    var (pid, user, bits): (Int32?, UInt32?, UInt64?)
    var json: JSON?
    var (list, shape): ([Int]?, Shape?)
  }

  @Test("What there is nothing of is written as null, whatever it would be")
  func nothing() throws {
    guard case .object(let members) = try JSON(encoding: Nothing()) else { return #expect(Bool(false)) }
    let names = ["text", "flag", "whole", "pid", "user", "bits", "json", "list", "shape"]
    #expect(members == names.map { JSON.Member($0, .null) })
  }

  @Test("What isn't there, or is something else, is told with its place")
  func mistakes() throws {
    for (text, place) in [
      (#"{"shapes":[],"unsigned":1,"small":256,"flag":true,"set":[],"json":1}"#, "'small' is 256, expected 0 to 255"),
      (#"{"shapes":[],"unsigned":1,"small":1,"flag":1,"set":[],"json":1}"#, "'flag' isn't a boolean"),
      (#"{"shapes":[],"unsigned":1,"flag":true,"set":[],"json":1}"#, "'small' is missing"),
      (#"{"shapes":{},"unsigned":1,"small":1,"flag":true,"set":[],"json":1}"#, "'shapes' isn't an array"),
    ] {
      let json = try JSON(parsing: Array(text.utf8))
      #expect {
        _ = try json.decode(Everything.self)
      } throws: { error in
        switch error {
        case DecodingError.dataCorrupted(let context), DecodingError.keyNotFound(_, let context):
          context.debugDescription == place
        default: false
        }
      }
    }
  }

  @Test("A number that isn't whole is refused")
  func fractions() {
    #expect(throws: EncodingError.self) { try JSON(encoding: [0.5]) }
  }
}
