import RoostCore
import RoostJSON

/// The form in which a validated configuration reaches the master, and in which it is recorded.
extension Configuration {
  package var json: JSON { JSON(of: self) }

  /// Reads what `json` wrote, and checks it anew: who has read an operator's text may be of another version, or mistaken, and
  /// the master must not end with it.
  package init(json: JSON) throws(ConfigurationError) {
    // What comes after a NUL would vanish in silence in C.
    if let text = json.textWithNUL { throw ConfigurationError("\"\(text)\" contains a NUL character") }
    do {
      self = try json.decode(Configuration.self)
    } catch let error as ConfigurationError {
      throw error
    } catch {
      throw ConfigurationError(JSON.reason(error))
    }
    try check()
  }
}

// A former version has recorded none of the options that came later, and is read all the same.
extension Settings: Defaulted {}

extension JSON {
  fileprivate var textWithNUL: String? {
    switch self {
    case .string(let text): text.utf8.contains(0) ? text : nil
    case .array(let elements): elements.lazy.compactMap(\.textWithNUL).first
    case .object(let members): members.lazy.compactMap(\.value.textWithNUL).first
    case .null, .boolean, .integer: nil
    }
  }
}
