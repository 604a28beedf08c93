import Glibc
import RoostConfiguration

/// The operator's texts, in which paths that lead through symbolic links are replaced by where they lead now.
enum PinnedText {
  private static let slash = UInt8(ascii: "/")
  private static let colon = UInt8(ascii: ":")
  private static let equals = UInt8(ascii: "=")

  /// An argument: the whole of it, or what follows the `=` of `--flag=/path` and `NAME=/path`.
  static func argument(_ text: String, isComplete: Bool = true) -> String {
    let bytes = Array(text.utf8)
    let start = beginning(of: bytes)
    guard bytes[start...].first == slash else { return text }
    return self.text(bytes[..<start] + list(bytes[start...], isComplete), else: text)
  }

  /// The value of a variable: the whole of it, what follows an `=` in it, or the parts between colons.
  static func value(_ text: String, isComplete: Bool = true) -> String {
    let bytes = Array(text.utf8)
    let start = beginning(of: bytes)
    return self.text(bytes[..<start] + list(bytes[start...], isComplete), else: text)
  }

  /// The path of a program.
  static func path(_ text: String) -> String { self.text(path(Array(text.utf8)[...], isComplete: true), else: text) }

  /// What will be filled in isn't known yet: only the directories before it are resolved.
  static func template(_ template: Template, _ pin: (String, _ isComplete: Bool) -> String) -> Template {
    guard case .text(let text)? = template.segments.first else { return template }
    return Template([.text(pin(text, template.segments.count == 1))] + template.segments.dropFirst())
  }

  /// After the `=`, if a path follows it and one word precedes it.
  private static func beginning(of text: [UInt8]) -> Int {
    guard let index = text.firstIndex(of: equals), index > 0, text[(index + 1)...].first == slash,
      text[..<index].allSatisfy({ $0 > UInt8(ascii: " ") && $0 != slash && $0 != colon })
    else { return 0 }
    return index + 1
  }

  /// A path, or several with colons between them.
  private static func list(_ text: ArraySlice<UInt8>, _ isComplete: Bool) -> [UInt8] {
    guard text.contains(colon), !(isComplete && exists(text)) else { return path(text, isComplete: isComplete) }
    let parts = text.split(separator: colon, omittingEmptySubsequences: false)
    let pinned = parts.enumerated().map { path($1, isComplete: isComplete || $0 < parts.count - 1) }
    return Array(pinned.joined(separator: [colon]))
  }

  /// A path that leads to an executable keeps its last name, because programs look at the name by which they were
  /// called: python finds its venv by it, busybox its applet. So does a path that doesn't exist, or a text that is more
  /// than a path.
  private static func path(_ path: ArraySlice<UInt8>, isComplete: Bool) -> [UInt8] {
    // `//host/path` is what follows the scheme of a URL.
    guard path.first == slash, path.dropFirst().first != slash, let end = path.lastIndex(of: slash) else {
      return Array(path)
    }
    if isComplete, isNameless(path), let whole = ResolvedPath(path) {
      return whole.leadsOverLink ? whole.path : Array(path)
    }
    guard let folder = ResolvedPath(path[..<end]), folder.leadsOverLink, isDirectory(folder.path) else {
      return Array(path)
    }
    return folder.path + path[end...]
  }

  private static func exists(_ path: ArraySlice<UInt8>) -> Bool { status(of: path) != nil }

  private static func isDirectory(_ path: [UInt8]) -> Bool {
    status(of: path[...]).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
  }

  /// Whether it leads to a directory, or to a file that isn't executable: then its name doesn't matter.
  private static func isNameless(_ path: ArraySlice<UInt8>) -> Bool {
    guard path.last != slash, let status = status(of: path) else { return false }
    return status.st_mode & S_IFMT == S_IFDIR || status.st_mode & S_IFMT == S_IFREG && status.st_mode & 0o111 == 0
  }

  private static func status(of path: ArraySlice<UInt8>) -> stat? {
    var status = stat()
    let result = (path + [0]).withUnsafeBytes { stat($0.baseAddress!.assumingMemoryBound(to: CChar.self), &status) }
    return result == 0 ? status : nil
  }

  /// What a worker gets is text.
  private static func text(_ bytes: some Collection<UInt8>, else text: String) -> String {
    String(validating: bytes, as: UTF8.self) ?? text
  }
}

extension WorkerConfiguration {
  /// The same, with every path replaced by where it leads now.
  func pinned(in directory: String) -> WorkerConfiguration {
    var pinned = self
    pinned.directory = directory
    pinned.command = [PinnedText.path(command[0])] + command.dropFirst().map { PinnedText.argument($0) }
    pinned.argumentTemplates = argumentTemplates.map {
      ArgumentTemplate(index: $0.index, template: PinnedText.template($0.template, PinnedText.argument))
    }
    pinned.environment = environment.map { assignment in
      guard let equals = assignment.utf8.firstIndex(of: UInt8(ascii: "=")) else { return assignment }
      let end = assignment.utf8.index(after: equals)
      return String(Substring(assignment.utf8[..<end])) + PinnedText.value(String(Substring(assignment.utf8[end...])))
    }
    pinned.variableTemplates = variableTemplates.map {
      VariableTemplate(name: $0.name, template: PinnedText.template($0.template, PinnedText.value))
    }
    return pinned
  }
}
