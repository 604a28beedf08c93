import RoostJSON

/// The messages of Varlink (https://varlink.org): JSON objects, each ended by a NUL byte.
package enum Varlink {
  package static let terminator: UInt8 = 0

  package static func bytes(of message: JSON) -> [UInt8] { Array(message.text.utf8) + [terminator] }
}

package struct VarlinkCall: Equatable, Sendable {
  /// Interface and method, such as `roost.Control.Status`.
  package var method: String
  /// An object.
  package var parameters: JSON
  /// Whether several replies are welcome.
  package var more: Bool
  /// Whether no reply is wanted.
  package var oneway: Bool

  package init(method: String, parameters: JSON = [:], more: Bool = false, oneway: Bool = false) {
    self.method = method
    self.parameters = parameters
    self.more = more
    self.oneway = oneway
  }

  /// Reads a message without its terminator; nil if it is no call.
  package init?(parsing bytes: some Collection<UInt8>) {
    guard let json = try? JSON(parsing: bytes, otherNumbers: .strings), case .string(let method) = json["method"] else {
      return nil
    }
    let parameters = json["parameters"] ?? .null
    switch parameters {
    case .object: self.parameters = parameters
    case .null: self.parameters = [:]
    case .boolean, .integer, .string, .array: return nil
    }
    self.method = method
    more = json["more"] == true
    oneway = json["oneway"] == true
  }

  package var json: JSON {
    var members = [JSON.Member("method", .string(method)), JSON.Member("parameters", parameters)]
    if more { members.append(JSON.Member("more", true)) }
    if oneway { members.append(JSON.Member("oneway", true)) }
    return .object(members)
  }
}

package struct VarlinkReply: Equatable, Sendable {
  /// The name of an error, or nil.
  package var error: String?
  /// An object.
  package var parameters: JSON
  /// Whether more replies follow.
  package var continues: Bool

  package init(error: String? = nil, parameters: JSON = [:], continues: Bool = false) {
    self.error = error
    self.parameters = parameters
    self.continues = continues
  }

  /// Reads a message without its terminator; nil if it is no reply.
  package init?(parsing bytes: some Collection<UInt8>) {
    guard let json = try? JSON(parsing: bytes), case .object = json else { return nil }
    if case .string(let name) = json["error"] { error = name }
    parameters = json["parameters"] ?? [:]
    continues = json["continues"] == true
  }

  package var json: JSON {
    var members: [JSON.Member] = []
    if let error { members.append(JSON.Member("error", .string(error))) }
    members.append(JSON.Member("parameters", parameters))
    if continues { members.append(JSON.Member("continues", true)) }
    return .object(members)
  }
}
