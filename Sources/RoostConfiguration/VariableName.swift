import RoostContract

/// What a variable of the workers' environment may be called.
package enum VariableName {
  package static let rule = "use letters, digits and '_', not beginning with a digit"

  /// Whether a shell could have such a variable.
  package static func isOne(_ name: some Collection<UInt8>) -> Bool {
    guard let first = name.first, !isDigit(first) else { return false }
    return name.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
      default: isDigit(byte)
      }
    }
  }

  package static func problem(with name: String) -> String? {
    guard isOne(name.utf8) else { return "'\(name)' is no name of a variable: \(rule)" }
    if WorkerEnvironment.isPrivateToMaster(name) { return "'\(name)' is set by Roost itself for each worker" }
    return nil
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
