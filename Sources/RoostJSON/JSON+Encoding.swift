extension JSON {
  /// The value as it encodes itself. Numbers must be whole; a UInt64 keeps its bits.
  package init(encoding value: some Encodable) throws {
    let node = Node()
    try TreeEncoder(node: node).encode(value)
    self = node.json
  }

  /// The same of a value that has whole numbers only, as all of ours.
  package init(of value: some Encodable) {
    do { self = try JSON(encoding: value) } catch { preconditionFailure("\(error)") }
  }
}

/// A value that is being written. Containers are filled after they were handed out, hence a reference.
private final class Node {
  enum Content {
    case value(JSON)
    case array([Node])
    case object([(name: String, node: Node)])
  }

  var content = Content.value(.null)

  var json: JSON {
    switch content {
    case .value(let json): json
    case .array(let nodes): .array(nodes.map(\.json))
    case .object(let members): .object(members.map { JSON.Member($0.name, $0.node.json) })
    }
  }

  var count: Int {
    guard case .array(let nodes) = content else { return 0 }
    return nodes.count
  }

  /// Becomes an empty array or object, unless it is one.
  func become(_ empty: Content) {
    if case .value = content { content = empty }
  }

  func append() -> Node {
    guard case .array(var nodes) = content else { preconditionFailure("no array") }
    let node = Node()
    content = .value(.null)  // So that appending doesn't copy what is there.
    nodes.append(node)
    content = .array(nodes)
    return node
  }

  func member(_ name: String) -> Node {
    guard case .object(var members) = content else { preconditionFailure("no object") }
    let node = Node()
    content = .value(.null)  // As above.
    members.append((name, node))
    content = .object(members)
    return node
  }
}

private struct TreeEncoder: Encoder, SingleValueEncodingContainer {
  let node: Node
  /// Not kept, which would take as long as the rest: what is encoded is ours, and always can be.
  var codingPath: [any CodingKey] { [] }
  let userInfo: [CodingUserInfoKey: Any] = [:]

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    node.become(.object([]))
    return KeyedEncodingContainer(ObjectEncoder(encoder: self))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    node.become(.array([]))
    return ArrayEncoder(encoder: self)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { self }

  func encodeNil() {}

  func encode<T: Encodable>(_ value: T) throws {
    switch value {
    case let json as JSON: node.content = .value(json)
    case let boolean as Bool: node.content = .value(.boolean(boolean))
    case let string as String: node.content = .value(.string(string))
    case let number as any BinaryInteger: node.content = .value(.integer(Int(truncatingIfNeeded: number)))
    case let duration as Duration where duration.exactMilliseconds != nil:
      node.content = .value(duration.exactMilliseconds.map(JSON.integer) ?? .null)
    case is Double, is Float:
      throw EncodingError.invalidValue(
        value, .init(codingPath: codingPath, debugDescription: "a number that isn't whole"))
    default: try value.encode(to: self)
    }
  }
}

// One generic function stands for the requirement of each type.

private struct ObjectEncoder<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let encoder: TreeEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }

  private func nested(_ key: Key) -> TreeEncoder { TreeEncoder(node: encoder.node.member(key.stringValue)) }

  mutating func encodeNil(forKey key: Key) { _ = nested(key) }

  // Null: whoever reads it sees that there is nothing, and not that it wasn't known. For these the standard library would
  // leave it out.
  mutating func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try encodeOrNil(value, key) }
  mutating func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws { try encodeOrNil(value, key) }

  private mutating func encodeOrNil<T: Encodable>(_ value: T?, _ key: Key) throws {
    if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
  }

  mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try nested(key).encode(value) }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type, forKey key: Key
  ) -> KeyedEncodingContainer<NestedKey> {
    nested(key).container(keyedBy: keyType)
  }

  mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    nested(key).unkeyedContainer()
  }

  mutating func superEncoder() -> any Encoder {
    TreeEncoder(node: encoder.node.member("super"))
  }

  mutating func superEncoder(forKey key: Key) -> any Encoder { nested(key) }
}

private struct ArrayEncoder: UnkeyedEncodingContainer {
  let encoder: TreeEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }
  var count: Int { encoder.node.count }

  private func element() -> TreeEncoder { TreeEncoder(node: encoder.node.append()) }

  mutating func encodeNil() { _ = element() }
  mutating func encode<T: Encodable>(_ value: T) throws { try element().encode(value) }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type
  ) -> KeyedEncodingContainer<NestedKey> {
    element().container(keyedBy: keyType)
  }

  mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { element().unkeyedContainer() }
  mutating func superEncoder() -> any Encoder { element() }
}

extension Duration {
  /// Nil if it isn't a whole number of them. The standard library's own form has two numbers, which nobody can read.
  fileprivate var exactMilliseconds: Int? {
    let (seconds, attoseconds) = components
    guard abs(seconds) < 1 << 50, attoseconds.isMultiple(of: 1_000_000_000_000_000) else { return nil }
    return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
  }
}
