/// In parts: the master takes no text apart.
extension Template: Codable {
  package init(from decoder: any Decoder) throws { self.init(try [Segment](from: decoder)) }
  package func encode(to encoder: any Encoder) throws { try segments.encode(to: encoder) }
}

/// A text is a string; what is filled in is an object of one member, with the listener's name if there is one.
extension Template.Segment: Codable {
  private enum Key: String, CodingKey, CaseIterable {
    case fd, port, address, directory, slot, generation, readyFd
  }

  package init(from decoder: any Decoder) throws {
    if let text = try? decoder.singleValueContainer().decode(String.self) {
      self = .text(text)
      return
    }
    let part = try decoder.container(keyedBy: Key.self)
    switch Key.allCases.first(where: part.contains) {
    case .fd: self = .descriptor(listener: try part.decode(String.self, forKey: .fd))
    case .port: self = .port(listener: try part.decode(String.self, forKey: .port))
    case .address: self = .address(listener: try part.decode(String.self, forKey: .address))
    case .directory: self = .directory
    case .slot: self = .slot
    case .generation: self = .generation
    case .readyFd: self = .readyDescriptor
    case nil: throw ConfigurationError("a part of a template is unknown")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    func encode(_ key: Key, _ listener: String? = nil) throws {
      var part = encoder.container(keyedBy: Key.self)
      if let listener { try part.encode(listener, forKey: key) } else { try part.encodeNil(forKey: key) }
    }
    switch self {
    case .text(let text):
      var part = encoder.singleValueContainer()
      try part.encode(text)
    case .descriptor(let listener): try encode(.fd, listener)
    case .port(let listener): try encode(.port, listener)
    case .address(let listener): try encode(.address, listener)
    case .directory: try encode(.directory)
    case .slot: try encode(.slot)
    case .generation: try encode(.generation)
    case .readyDescriptor: try encode(.readyFd)
    }
  }
}
