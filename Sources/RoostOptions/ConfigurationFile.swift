import TOMLKit

/// A configuration file in TOML (https://toml.io/en/v1.0.0).
struct ConfigurationFile {
  /// Larger ones are no configuration.
  private static let maximumLength = 1 << 20

  /// What stands in it, in no order.
  let entries: [OptionEntry]

  init(_ file: InputFile) throws(Problems) {
    try self.init(text: try Self.text(of: file), path: file.path)
  }

  init(text: String, path: String) throws(Problems) {
    if let trap = TOMLTraps(of: text).first {
      let place = Place.file(path, line: trap.position.line, column: trap.position.column)
      throw Problems([Problem(place, nil, "this isn't TOML: expected \(trap.expected)")])
    }
    let table: TOMLTable
    do {
      table = try TOMLTable(string: text)
    } catch let error as TOMLParseError {
      let place = Place.file(path, line: error.source.begin.line, column: error.source.begin.column)
      throw Problems([Problem(place, nil, Self.words(for: error, in: text))])
    } catch {
      throw Problems([Problem(.wholeFile(path), nil, "this isn't TOML: \(error)")])
    }
    entries = Converter(path: path, positions: TOMLPositions(of: text)).entries(of: table, at: [])
  }

  private static func words(for error: TOMLParseError, in text: String) -> String {
    let prefix = "Error while "
    let reason =
      error.description.hasPrefix(prefix) ? error.description.dropFirst(prefix.count) : error.description[...]
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let index = error.source.begin.line - 1
    let value = lines.indices.contains(index) ? lines[index].split(separator: "=", maxSplits: 1).dropFirst().first : nil
    // The parser takes such a word for the beginning of a number or of a boolean, and says what it lacks of that.
    guard let word = value?.drop(while: { $0 == " " || $0 == "\t" }), word.first?.isLetter == true else {
      return "this isn't TOML: \(reason)"
    }
    return "this isn't TOML: a string needs quotes, as in \"\(word.prefix { !" \t\r#,]}\"'".contains($0) })\""
  }

  private static func text(of file: InputFile) throws(Problems) -> String {
    func problem(_ text: String) -> Problems { Problems([Problem(.wholeFile(file.path), nil, text)]) }
    let bytes: [UInt8]
    do {
      bytes = try file.bytes(atMost: maximumLength)
    } catch {
      throw problem(error.text)
    }
    // The parser's strings are C strings: what comes after a NUL would vanish in silence.
    return try Text.checked(bytes, path: file.path, escapes: ["\\u0000", "\\U00000000"])
  }
}

/// From the parser's values to ours, with their places.
private struct Converter {
  let path: String
  let positions: TOMLPositions

  func entries(of table: TOMLTable, at steps: [TOMLPositions.Step]) -> [OptionEntry] {
    table.keys.sorted().compactMap { key in
      let steps = steps + [.key(key)]
      guard let value = table[key] else { return nil }
      return OptionEntry(key, at: place(positions.names[steps]), located(value, at: steps))
    }
  }

  private func located(_ value: TOMLValueConvertible, at steps: [TOMLPositions.Step]) -> Located {
    Located(converted(value, at: steps), at: place(positions.values[steps] ?? positions.names[steps]))
  }

  private func converted(_ value: TOMLValueConvertible, at steps: [TOMLPositions.Step]) -> OptionValue {
    switch value.type {
    case .string: .string(value.string ?? "")
    case .int: .integer(value.int ?? 0)
    case .bool: .boolean(value.bool ?? false)
    case .table: .table(value.table.map { entries(of: $0, at: steps) } ?? [])
    case .array: .array(elements(of: value.array, at: steps))
    case .double: .other("the number \(value.double ?? 0)")
    case .date, .time, .dateTime: .other("a date or time")
    }
  }

  private func elements(of array: TOMLArray?, at steps: [TOMLPositions.Step]) -> [Located] {
    guard let array else { return [] }
    return array.enumerated().map { located($0.element, at: steps + [.index($0.offset)]) }
  }

  private func place(_ position: TOMLPositions.Position?) -> Place {
    position.map { .file(path, line: $0.line, column: $0.column) } ?? .wholeFile(path)
  }
}
