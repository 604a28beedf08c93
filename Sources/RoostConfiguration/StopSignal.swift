import Glibc

/// The signal that asks a worker to drain (signal(7)).
package struct StopSignal: Hashable, Sendable {
  /// The names without `SIG`, and the numbers, of all signals that a worker can handle.
  static let named: [(name: String, number: Int32)] = [
    ("TERM", SIGTERM), ("INT", SIGINT), ("QUIT", SIGQUIT), ("HUP", SIGHUP), ("USR1", SIGUSR1), ("USR2", SIGUSR2),
    ("WINCH", SIGWINCH), ("ALRM", SIGALRM), ("PIPE", SIGPIPE), ("ABRT", SIGABRT),
  ]

  package let number: Int32

  /// Its name without `SIG`.
  package var name: String { Self.named.first { $0.number == number }!.name }

  package static let term = StopSignal(number: SIGTERM)

  private init(number: Int32) {
    self.number = number
  }

  /// The signal of this name, with or without `SIG`, or of this number.
  package init(parsing text: String) throws(ConfigurationError) {
    let wanted = text.uppercased()
    let bare = wanted.hasPrefix("SIG") ? String(wanted.dropFirst(3)) : wanted
    guard let signal = Self.named.first(where: { $0.name == bare || String($0.number) == bare }) else {
      let names = Self.named.map(\.name).joined(separator: ", ")
      throw ConfigurationError("'\(text)' can't ask a worker to stop: use one of \(names)")
    }
    self.init(number: signal.number)
  }
}

/// Its number.
extension StopSignal: Codable {
  package init(from decoder: any Decoder) throws {
    let number = try decoder.singleValueContainer().decode(Int32.self)
    guard Self.named.contains(where: { $0.number == number }) else {
      throw ConfigurationError("'\(number)' is no stop signal")
    }
    self.init(number: number)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(number)
  }
}
