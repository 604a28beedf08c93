/// How a worker is asked whether it serves well: on a listener of its own, where no other worker can answer.
package enum Probe: Hashable, Sendable {
  /// What the worker's own listener is called.
  package static let listenerName = "probe"

  /// By HTTP: a GET of this path has to be answered with this status.
  case http(path: String, status: Int)
  /// By a command, which has to exit with status 0: a program and its arguments.
  case command([String])

  /// Whether a request can ask for this path.
  package static func isPath(_ text: String) -> Bool {
    text.utf8.first == UInt8(ascii: "/") && text.utf8.count <= Limits.probePath
      && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
  }
}

extension Probe: Codable {
  private enum Key: String, CodingKey {
    case path, status, command
  }

  package init(from decoder: any Decoder) throws {
    let parts = try decoder.container(keyedBy: Key.self)
    if let path = try parts.decodeIfPresent(String.self, forKey: .path) {
      self = .http(path: path, status: try parts.decode(Int.self, forKey: .status))
    } else {
      self = .command(try parts.decode([String].self, forKey: .command))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var parts = encoder.container(keyedBy: Key.self)
    switch self {
    case .http(let path, let status):
      try parts.encode(path, forKey: .path)
      try parts.encode(status, forKey: .status)
    case .command(let command): try parts.encode(command, forKey: .command)
    }
  }
}
