import RoostContract

/// What a variable of the workers' environment may be called.
package enum VariableName {
  package static let rule = "use letters, digits and '_', not beginning with a digit"

  /// Whether a shell could have such a variable.
  package static func isOne(_ name: some Collection<UInt8>) -> Bool {
    guard let first = name.first, !first.isDigit else { return false }
    return name.allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") }
  }

  package static func problem(with name: String) -> String? {
    guard isOne(name.utf8) else { return "'\(name)' is no name of a variable: \(rule)" }
    if WorkerEnvironment.isPrivateToMaster(name) { return "'\(name)' is set by Roost itself for each worker" }
    return nil
  }
}
