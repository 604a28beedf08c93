import Glibc
import RoostJSON

/// A descriptor that stays open across an upgrade. Everything else in the master is closed on exec, so what the state
/// mentions by this type is exactly what the upgraded master has.
struct SavedDescriptor: Codable {
  /// Its number, before and after.
  let descriptor: Int32

  init(_ descriptor: borrowing Descriptor) {
    self.descriptor = descriptor.number
  }

  /// For a descriptor that has no owner in a type.
  init(number: Int32) {
    descriptor = number
  }

  /// Takes it over. To be called once for each.
  func adopt() -> Descriptor { Descriptor(adopting: descriptor) }

  /// The numbers of all that a state mentions, wherever they are.
  static func all(in state: JSON) -> [Int32] {
    switch state {
    case .null, .boolean, .integer, .string: return []
    case .array(let elements): return elements.flatMap(all)
    case .object(let members):
      if members.count == 1, members[0].name == CodingKeys.descriptor.stringValue,
        case .integer(let number) = members[0].value
      {
        // A number that isn't a descriptor turns out not to be open.
        return [Int32(exactly: number) ?? -1]
      }
      return members.flatMap { all(in: $0.value) }
    }
  }

  /// Makes execve(2) close them, or keep them. Returns whether all of them are open.
  static func setCloseOnExec(_ isClosed: Bool, _ descriptors: [Int32]) -> Bool {
    // Not `allSatisfy`, which would stop at the first.
    descriptors.count { fcntl($0, F_SETFD, isClosed ? FD_CLOEXEC : 0) != 0 } == 0
  }
}

/// Bytes that need not be text: each is written as the character of its number, so that text stays readable.
struct SavedBytes: Codable {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    bytes = try container.decode(String.self).unicodeScalars.map { scalar in
      guard let byte = UInt8(exactly: scalar.value) else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "a character that stands for no byte")
      }
      return byte
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    var text = String.UnicodeScalarView()
    text.append(contentsOf: bytes.lazy.map { Unicode.Scalar($0) })
    try container.encode(String(text))
  }
}
