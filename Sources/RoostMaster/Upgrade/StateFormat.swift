import RoostConfiguration
import RoostJSON

/// The format of the state that is handed from one master's binary to the next. A change of what is saved raises the
/// number, describes below how the former format becomes the new one, and makes fixtures
/// (Tests/System/test_saved_state.py).
enum StateFormat {
  /// What this version writes.
  static let current = 6

  /// How a state of each older format becomes one of the next. The first was only for the start: nothing was running yet.
  private static let migrations: [@Sendable (JSON) -> JSON] = [{ $0 }, from2, from3, from4, from5]

  static func migrated(_ state: JSON) throws(MasterError) -> JSON {
    guard case .integer(let format) = state["format"] else { throw MasterError("it isn't a master's state") }
    guard (1...current).contains(format) else {
      throw MasterError(
        "the state has format \(format), and version \(Version.number) reads formats 1 to \(current)")
    }
    return migrations[(format - 1)...].reduce(state) { $1($0) }
  }

  /// What is wrong with a state, in words.
  static func reason(_ error: any Error) -> String {
    switch error {
    case let error as MasterError: error.description
    case let error as JSON.Malformed: "the state is damaged: expected \(error.expected) at byte \(error.offset)"
    default: "the state is damaged: \(JSON.reason(error))"
    }
  }
}
