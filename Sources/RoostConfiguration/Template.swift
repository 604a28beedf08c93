/// A text with places that are filled in when a worker is started.
package struct Template: Hashable, Sendable {
  package enum Segment: Hashable, Sendable {
    /// As it is.
    case text(String)
    /// The number of a listener's descriptor in the worker.
    case descriptor(listener: String)
    case port(listener: String)
    /// The address of a listener: host and port, or the path of a unix socket.
    case address(listener: String)
    /// The directory that workers start in, without symbolic links.
    case directory
    case slot
    case generation
    /// The number of the readiness pipe's descriptor.
    case readyDescriptor
  }

  package let segments: [Segment]

  package init(_ segments: [Segment]) {
    self.segments = segments
  }

  /// What it is where nothing is to be filled in.
  package var literal: String? {
    var text = ""
    for segment in segments {
      guard case .text(let part) = segment else { return nil }
      text += part
    }
    return text
  }
}

/// An argument of the command that is filled in.
package struct ArgumentTemplate: Hashable, Sendable, Codable {
  /// Its place in the command, at least 1.
  package let index: Int
  package let template: Template

  package init(index: Int, template: Template) {
    self.index = index
    self.template = template
  }
}

/// A variable of the environment whose value is filled in.
package struct VariableTemplate: Hashable, Sendable, Codable {
  package let name: String
  package let template: Template

  package init(name: String, template: Template) {
    self.name = name
    self.template = template
  }
}
