import RoostCore

/// Something that an operator can ask for. The command line, configuration files, their documentation, and the master's own check
/// of what it is handed are all made of these.
package struct OptionDefinition<Root>: Sendable {
  /// When a change in the file takes effect.
  package enum Effect: String, Sendable {
    /// At the next reload, for the workers that it starts.
    case generation
    /// For the reload that reads it.
    case reload
    /// For the whole service, from the takeover of the reload that reads it.
    case takeover
    /// With a restart of the service; a reload that finds it changed fails.
    case restart
    /// At the next start. A reload doesn't mind.
    case start
    /// When the listener is opened.
    case opening = "when the listener is opened"
  }

  /// The name, as in a file; on the command line it follows two dashes.
  package let name: String
  /// The one letter that stands for it on the command line, if there is one.
  package let abbreviation: Character?
  /// What is written, and where it goes.
  package let value: OptionValueDefinition<Root>
  /// When a change takes effect; nil for a part of another option, which says it.
  package let effect: Effect?
  /// What more is to be said of that, in Markdown.
  package let effectNote: String?
  /// For what kinds of the whole it has a meaning, if not for all.
  package let scope: String?
  /// What it means, in Markdown.
  package let meaning: String
  /// What it means at a terminal, if that is something else.
  package let help: String?
  private let standard: String?

  /// An option. `standard` is what holds if it isn't there, in Markdown, where the value itself can't say it.
  init(
    _ name: String, _ value: OptionValueDefinition<Root>, _ effect: Effect? = nil, note: String? = nil,
    abbreviation: Character? = nil, scope: String? = nil, standard: String? = nil, meaning: String, help: String? = nil
  ) {
    self.name = name
    self.abbreviation = abbreviation
    self.value = value
    self.effect = effect
    effectNote = note
    self.scope = scope
    self.standard = standard
    self.meaning = meaning
    self.help = help
  }

  /// What holds if it isn't there, in Markdown; nil for nothing.
  package func standard(in root: Root) -> String? { standard ?? value.text(of: root).map { "`\($0)`" } }

  /// Throws if the value is out of its range. What stands for "as many as there are" isn't in the range of what can be
  /// written: `standard` has it.
  func check(_ root: Root, against standard: Root) throws(ConfigurationError) {
    switch value {
    case .duration(let place, let shortest): try Check.duration(name, place.get(root), from: shortest.duration)
    case .integer(let place, let range):
      if place.get(root) != place.get(standard) { try Check.range(name, place.get(root), range) }
    case .path(let place): try Check.path(name, place.get(root))
    case .mode(let place, _): try Check.range(name, place.get(root).map { Int($0) }, Limits.mode)
    case .hook(let place): try Check.command(name, place.get(root))
    // These can't be wrong, or are checked by code of their own.
    case .boolean, .choice, .custom: break
    }
  }
}
