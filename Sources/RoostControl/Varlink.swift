import RoostJSON

/// The messages of Varlink (https://varlink.org): JSON objects, each ended by a NUL byte.
public enum Varlink {
  /// Ends a message.
  public static let terminator: UInt8 = 0

  /// The bytes of a message.
  public static func bytes(of message: JSON) -> [UInt8] { Array(message.text.utf8) + [terminator] }
}

/// What a client asks.
public struct VarlinkCall: Equatable, Sendable {
  /// Interface and method, such as `roost.Control.Status`.
  public var method: String
  /// An object.
  public var parameters: JSON
  /// Whether several replies are welcome.
  public var more: Bool
  /// Whether no reply is wanted.
  public var oneway: Bool

  /// A call of these parts.
  public init(method: String, parameters: JSON = [:], more: Bool = false, oneway: Bool = false) {
    self.method = method
    self.parameters = parameters
    self.more = more
    self.oneway = oneway
  }

  /// Reads a message without its terminator; nil if it is no call.
  public init?(parsing bytes: some Collection<UInt8>) {
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

  /// The call as a message.
  public var json: JSON {
    var members = [JSON.Member("method", .string(method)), JSON.Member("parameters", parameters)]
    if more { members.append(JSON.Member("more", true)) }
    if oneway { members.append(JSON.Member("oneway", true)) }
    return .object(members)
  }
}

/// What a service replies.
public struct VarlinkReply: Equatable, Sendable {
  /// The name of an error, or nil.
  public var error: String?
  /// An object.
  public var parameters: JSON
  /// Whether more replies follow.
  public var continues: Bool

  /// A reply of these parts.
  public init(error: String? = nil, parameters: JSON = [:], continues: Bool = false) {
    self.error = error
    self.parameters = parameters
    self.continues = continues
  }

  /// Reads a message without its terminator; nil if it is no reply.
  public init?(parsing bytes: some Collection<UInt8>) {
    guard let json = try? JSON(parsing: bytes), case .object = json else { return nil }
    if case .string(let name) = json["error"] { error = name }
    parameters = json["parameters"] ?? [:]
    continues = json["continues"] == true
  }

  /// The reply as a message.
  public var json: JSON {
    var members: [JSON.Member] = []
    if let error { members.append(JSON.Member("error", .string(error))) }
    members.append(JSON.Member("parameters", parameters))
    if continues { members.append(JSON.Member("continues", true)) }
    return .object(members)
  }
}
