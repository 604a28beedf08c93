import RoostConfiguration

extension Options {
  /// The arguments that are filled in when a worker is started. One that only has a doubled brace is written anew.
  func fillIn(_ command: inout [String], _ placeholders: Placeholders, _ reader: OptionReader) -> [ArgumentTemplate] {
    let elements = reader.list("command")
    guard elements.count == command.count else { return [] }
    var templates: [ArgumentTemplate] = []
    for (index, element) in elements.enumerated() {
      guard let template = template(command[index], element, "command", placeholders, reader) else { continue }
      if let literal = template.literal {
        command[index] = literal
      } else if index == 0 {
        reader.report(element, "command", "the program itself can't have placeholders: it is the same for all workers")
      } else {
        templates.append(ArgumentTemplate(index: index, template: template))
      }
    }
    return templates
  }

  /// What a text stands for; nil where that was reported to be unusable.
  func template(
    _ text: String, _ value: Located, _ option: String, _ placeholders: Placeholders, _ reader: OptionReader
  ) -> Template? {
    do {
      return try placeholders.template(text)
    } catch {
      return reader.refuse(value, option, error.description)
    }
  }
}
