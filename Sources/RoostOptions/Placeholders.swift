import RoostConfiguration

/// What `{word}` and `{word:listener}` stand for in a command or the value of a variable. Anything else in braces is
/// text: JSON, a `${variable}` of a shell, templates of other programs. `{{word}}` stands for the text `{word}`.
struct Placeholders {
  private static let ofListeners = ["fd", "port", "address"]
  private static let names = ofListeners + ["directory", "slot", "generation", "ready-fd"]

  let listeners: [ListenerConfiguration]
  let hasReadinessPipe: Bool

  /// Takes a text apart.
  func template(_ text: String) throws(ConfigurationError) -> Template {
    var segments: [Template.Segment] = []
    var literal = ""
    var rest = text[...]
    var isShellVariable = false
    while let first = rest.first {
      if first == "{", let escaped = doubled(rest) {
        literal += escaped.dropFirst().dropLast()
        rest = rest[escaped.endIndex...]
      } else if first == "{", !isShellVariable, let found = placeholder(rest) {
        if !literal.isEmpty { segments.append(.text(literal)) }
        literal = ""
        segments.append(try segment(found.dropFirst().dropLast()))
        rest = rest[found.endIndex...]
      } else {
        literal.append(first)
        rest = rest.dropFirst()
      }
      isShellVariable = first == "$"
    }
    if !literal.isEmpty || segments.isEmpty { segments.append(.text(literal)) }
    return Template(segments)
  }

  /// `{word}` or `{word:listener}` at the beginning of a text. With a number after the colon it is code, such as the
  /// `{port:8080}` of JavaScript, unless a listener has that name.
  private func placeholder(_ text: Substring) -> Substring? {
    let word = text.dropFirst().prefix { ("a"..."z").contains($0) || $0 == "-" }
    // No placeholder has one letter, and code in an argument often has such variables.
    guard text.first == "{", word.utf8.count > 1, word.first != "-" else { return nil }
    var rest = text[word.endIndex...]
    if rest.first == ":" {
      let name = rest.dropFirst().prefix { $0.isASCII && $0 != "{" && $0 != "}" && $0 > " " && $0 != "\"" }
      guard let first = name.first, !first.isNumber || listeners.contains(where: { $0.name == name }) else {
        return nil
      }
      rest = text[name.endIndex...]
    }
    return rest.first == "}" ? text[...rest.startIndex] : nil
  }

  /// `{{word}}`
  private func doubled(_ text: Substring) -> Substring? {
    guard let inner = placeholder(text.dropFirst()), text[inner.endIndex...].first == "}" else { return nil }
    return text[...inner.endIndex]
  }

  private func segment(_ text: Substring) throws(ConfigurationError) -> Template.Segment {
    let parts = text.split(separator: ":", maxSplits: 1)
    let name = String(parts[0])
    guard Self.names.contains(name) else {
      let nearest = Spelling.nearest(to: name, among: Self.names)
      let hint = nearest.map { "did you mean '{\($0)}'?" } ?? "known are {\(Self.names.joined(separator: "}, {"))}"
      throw ConfigurationError("there is no placeholder '{\(text)}': \(hint) ('{{\(text)}}' stands for this very text)")
    }
    if Self.ofListeners.contains(name) {
      return try segment(name, of: try listener(parts.count > 1 ? String(parts[1]) : nil, for: text), text)
    }
    guard parts.count == 1 else {
      throw ConfigurationError("'{\(text)}' names a listener, which has no meaning with '{\(name)}'")
    }
    switch name {
    case "directory": return .directory
    case "slot": return .slot
    case "generation": return .generation
    default:
      guard hasReadinessPipe else {
        throw ConfigurationError("'{ready-fd}' has a meaning only with 'ready' set to \"pipe\"")
      }
      return .readyDescriptor
    }
  }

  private func segment(
    _ name: String, of listener: ListenerConfiguration, _ text: Substring
  ) throws(ConfigurationError) -> Template.Segment {
    switch name {
    case "fd": return .descriptor(listener: listener.name)
    case "address": return .address(listener: listener.name)
    default:
      // One that systemd opens may have one, which isn't known before it is there.
      if case .unix = listener.address {
        throw ConfigurationError("'{\(text)}': the listener \"\(listener.name)\" is a unix socket, which has no port")
      }
      return .port(listener: listener.name)
    }
  }

  private func listener(_ name: String?, for text: Substring) throws(ConfigurationError) -> ListenerConfiguration {
    guard let first = listeners.first else {
      throw ConfigurationError("'{\(text)}' needs a listener, and there is none")
    }
    guard let name else { return first }
    if let listener = listeners.first(where: { $0.name == name }) { return listener }
    let names = listeners.map(\.name)
    let nearest = Spelling.nearest(to: name, among: names)
    let hint = nearest.map { "did you mean \"\($0)\"?" } ?? "known are \(names.joined(separator: ", "))"
    throw ConfigurationError("'{\(text)}': there is no listener \"\(name)\": \(hint)")
  }
}
