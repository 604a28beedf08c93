import RoostJSON

/// A text with places that are filled in when a worker is started.
public struct Template: Hashable, Sendable {
  /// A part of it.
  public enum Segment: Hashable, Sendable {
    /// As it is.
    case text(String)
    /// The number of a listener's descriptor in the worker.
    case descriptor(listener: String)
    /// The port of a listener.
    case port(listener: String)
    /// The address of a listener: host and port, or the path of a unix socket.
    case address(listener: String)
    /// The directory that workers start in, without symbolic links.
    case directory
    /// The worker's slot.
    case slot
    /// The worker's generation.
    case generation
    /// The number of the readiness pipe's descriptor.
    case readyDescriptor
  }

  /// Its parts, in their sequence.
  public let segments: [Segment]

  /// A template of these parts.
  public init(_ segments: [Segment]) {
    self.segments = segments
  }

  /// What it is where nothing is to be filled in.
  public var literal: String? {
    var text = ""
    for segment in segments {
      guard case .text(let part) = segment else { return nil }
      text += part
    }
    return text
  }
}

/// An argument of the command that is filled in.
public struct ArgumentTemplate: Hashable, Sendable {
  /// Its place in the command, at least 1.
  public let index: Int
  /// What it is made of.
  public let template: Template

  /// An argument at this place.
  public init(index: Int, template: Template) {
    self.index = index
    self.template = template
  }
}

/// A variable of the environment whose value is filled in.
public struct VariableTemplate: Hashable, Sendable {
  /// Its name.
  public let name: String
  /// What its value is made of.
  public let template: Template

  /// A variable of this name.
  public init(name: String, template: Template) {
    self.name = name
    self.template = template
  }
}

/// In parts: the master takes no text apart.
extension Template {
  var json: JSON {
    .array(
      segments.map { segment in
        switch segment {
        case .text(let text): .string(text)
        case .descriptor(let listener): ["fd": .string(listener)]
        case .port(let listener): ["port": .string(listener)]
        case .address(let listener): ["address": .string(listener)]
        case .directory: ["directory": .null]
        case .slot: ["slot": .null]
        case .generation: ["generation": .null]
        case .readyDescriptor: ["readyFd": .null]
        }
      })
  }

  init(json: JSON) throws(ConfigurationError) {
    guard case .array(let parts) = json else { throw ConfigurationError("a template isn't made of parts") }
    var segments: [Segment] = []
    for part in parts { segments.append(try Segment(json: part)) }
    self.init(segments)
  }
}

extension Template.Segment {
  fileprivate init(json: JSON) throws(ConfigurationError) {
    if case .string(let text) = json {
      guard !text.utf8.contains(0) else { throw ConfigurationError("a template contains a NUL character") }
      self = .text(text)
    } else if case .string(let listener) = json["fd"] {
      self = .descriptor(listener: listener)
    } else if case .string(let listener) = json["port"] {
      self = .port(listener: listener)
    } else if case .string(let listener) = json["address"] {
      self = .address(listener: listener)
    } else if json["directory"] != nil {
      self = .directory
    } else if json["slot"] != nil {
      self = .slot
    } else if json["generation"] != nil {
      self = .generation
    } else if json["readyFd"] != nil {
      self = .readyDescriptor
    } else {
      throw ConfigurationError("a part of a template is unknown")
    }
  }
}
