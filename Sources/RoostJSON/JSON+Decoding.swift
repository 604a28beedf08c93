/// What may have been written before some of its members were there: those are as in `standard`.
package protocol Defaulted: Codable {
  /// The value in which nobody has chosen anything.
  static var standard: Self { get }
}

extension JSON {
  /// The value that this was encoded from.
  package func decode<T: Decodable>(_ type: T.Type) throws -> T {
    try TreeDecoder(json: self, codingPath: []).decode(type)
  }

  /// Why that wasn't possible, in words.
  package static func reason(_ error: any Error) -> String {
    switch error {
    case DecodingError.dataCorrupted(let context), DecodingError.keyNotFound(_, let context): context.debugDescription
    default: "\(error)"
    }
  }
}

private struct TreeDecoder: Decoder, SingleValueDecodingContainer {
  let json: JSON
  let codingPath: [any CodingKey]
  let userInfo: [CodingUserInfoKey: Any] = [:]

  func decodeNil() -> Bool { json == .null }

  func decode<T: Decodable>(_ type: T.Type) throws -> T {
    let found: T?
    switch type {
    case is JSON.Type: found = json as? T
    case is Bool.Type:
      guard case .boolean(let boolean) = json else { throw mismatch("a boolean") }
      found = boolean as? T
    case is String.Type:
      guard case .string(let string) = json else { throw mismatch("a string") }
      found = string as? T
    case let integer as any FixedWidthInteger.Type:
      guard case .integer(let number) = json else { throw mismatch("a whole number") }
      found = try self.integer(number, integer) as? T
    case is Duration.Type:
      if case .integer(let milliseconds) = json {
        found = Duration.milliseconds(milliseconds) as? T
      } else {
        let duration = try Duration(from: self)
        // Longer ones have no whole number of milliseconds, and arithmetic with them would end the process.
        let countable = Duration.milliseconds(Int.min)...Duration.milliseconds(Int.max)
        guard countable.contains(duration) else { throw mismatch("a time that can be counted") }
        found = duration as? T
      }
    default: found = try type.init(from: filled(type))
    }
    guard let found else { throw mismatch("\(type)") }
    return found
  }

  private func filled(_ type: any Decodable.Type) throws -> TreeDecoder {
    guard case .object(let members) = json, let type = type as? any Defaulted.Type,
      case .object(let standard) = try JSON(encoding: type.standard)
    else { return self }
    let missing = standard.filter { json[$0.name] == nil }
    return TreeDecoder(json: .object(members + missing), codingPath: codingPath)
  }

  /// A UInt64 was written with its bits.
  private func integer<I: FixedWidthInteger>(_ number: Int, _ type: I.Type) throws -> I {
    if I.bitWidth == Int.bitWidth { return I(truncatingIfNeeded: number) }
    guard let integer = I(exactly: number) else { throw damage("is \(number), expected \(I.min) to \(I.max)") }
    return integer
  }

  func mismatch(_ expected: String) -> DecodingError { damage("isn't \(expected)") }

  private func damage(_ problem: String) -> DecodingError {
    let place = codingPath.map(\.stringValue).joined(separator: ".")
    return .dataCorrupted(.init(codingPath: codingPath, debugDescription: "'\(place)' \(problem)"))
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .object(let members) = json else { throw mismatch("an object") }
    return KeyedDecodingContainer(ObjectDecoder(members: members, decoder: self))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .array(let elements) = json else { throw mismatch("an array") }
    return ArrayDecoder(elements: elements, decoder: self)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { self }
}

// One generic function stands for the requirement of each type.

private struct ObjectDecoder<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let members: [JSON.Member]
  let decoder: TreeDecoder
  var codingPath: [any CodingKey] { decoder.codingPath }
  var allKeys: [Key] { members.compactMap { Key(stringValue: $0.name) } }

  func contains(_ key: Key) -> Bool { member(key) != nil }
  func decodeNil(forKey key: Key) -> Bool { member(key) == .null }
  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try nested(key).decode(type) }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<NestedKey> {
    try nested(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try nested(key).unkeyedContainer()
  }

  func superDecoder() -> any Decoder { decoder }
  func superDecoder(forKey key: Key) throws -> any Decoder { try nested(key) }

  private func member(_ key: Key) -> JSON? { members.first { $0.name == key.stringValue }?.value }

  private func nested(_ key: Key) throws -> TreeDecoder {
    let path = codingPath + [key]
    guard let json = member(key) else {
      let place = path.map(\.stringValue).joined(separator: ".")
      throw DecodingError.keyNotFound(key, .init(codingPath: path, debugDescription: "'\(place)' is missing"))
    }
    return TreeDecoder(json: json, codingPath: path)
  }
}

private struct ArrayDecoder: UnkeyedDecodingContainer {
  let elements: [JSON]
  let decoder: TreeDecoder
  var currentIndex = 0
  var codingPath: [any CodingKey] { decoder.codingPath }
  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex >= elements.count }

  mutating func decodeNil() -> Bool {
    guard !isAtEnd, elements[currentIndex] == .null else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next().decode(type) }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type
  ) throws -> KeyedDecodingContainer<NestedKey> {
    try next().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
  mutating func superDecoder() throws -> any Decoder { try next() }

  private mutating func next() throws -> TreeDecoder {
    guard !isAtEnd else { throw decoder.mismatch("long enough") }
    defer { currentIndex += 1 }
    return TreeDecoder(json: elements[currentIndex], codingPath: codingPath)
  }
}
