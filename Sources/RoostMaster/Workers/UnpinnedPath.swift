import RoostConfiguration

/// A path in the middle of a text, which leads through a symbolic link and can't be pinned: the meaning of the text is
/// up to another program, such as a shell.
package struct UnpinnedPath: Hashable, Sendable {
  /// Where the path is, such as `argument 2 of the command`.
  package let place: String
  package let path: String
  /// Where it leads now.
  package let target: String

  /// What is wrong with it, in one sentence.
  package var problem: String {
    "\(place) contains \(path), which leads through a symbolic link to \(target) and can't be pinned there: "
      + "a worker that is restarted after the link has moved gets a release other than its own"
  }

  package static let remedy =
    "set 'directory' to where the release is, and write {directory} for that part of the path"
}

extension UnpinnedPath {
  /// What ends a path in the languages that are written into arguments, and what may precede one.
  private static let delimiters = Set(" \t\r\n'\"`=:,;()<>|&[]@".utf8)
  private static let slash = UInt8(ascii: "/")

  /// All that are left in a pinned configuration.
  static func all(in pinned: WorkerConfiguration) -> [UnpinnedPath] {
    var templates: [(String, Template)] = []
    for (index, argument) in pinned.command.enumerated().dropFirst() {
      let template = pinned.argumentTemplates.first { $0.index == index }?.template
      templates.append(("argument \(index) of the command", template ?? Template([.text(argument)])))
    }
    for assignment in pinned.environment {
      let parts = assignment.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1)
      guard parts.count == 2 else { continue }
      templates.append(("the variable \(Substring(parts[0]))", Template([.text(String(Substring(parts[1])))])))
    }
    templates += pinned.variableTemplates.map { ("the variable \($0.name)", $0.template) }
    return templates.flatMap { place, template in
      paths(in: template).compactMap { path in
        let target = PinnedText.path(path)
        return target == path ? nil : UnpinnedPath(place: place, path: path, target: target)
      }
    }
  }

  private static func paths(in template: Template) -> [String] {
    template.segments.enumerated().flatMap { index, segment in
      guard case .text(let text) = segment else { return [] as [String] }
      return paths(in: Array(text.utf8), isBeginning: index == 0)
    }
  }

  /// The absolute paths in a text. What follows something that is filled in, or a word, belongs to that.
  private static func paths(in text: [UInt8], isBeginning: Bool) -> [String] {
    var paths: [String] = []
    var word = text.startIndex
    while word < text.endIndex {
      let end = text[word...].firstIndex(where: delimiters.contains) ?? text.endIndex
      if let first = text[word..<end].firstIndex(of: slash), isBeginning || word > text.startIndex,
        isOption(text[word..<first]), let path = String(validating: text[first..<end], as: UTF8.self)
      {
        paths.append(path)
      }
      word = end + 1
    }
    return paths
  }

  /// Whether a path may follow: nothing, or an option of one letter as in `-I/path`.
  private static func isOption(_ word: ArraySlice<UInt8>) -> Bool {
    word.isEmpty || word.count == 2 && word.first == UInt8(ascii: "-")
  }
}
