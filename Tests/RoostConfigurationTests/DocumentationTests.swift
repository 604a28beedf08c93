import Foundation
import RoostConfiguration
import Testing

/// The tables of docs/configuration.md are those of the options. With ROOST_WRITE_DOCUMENTATION set they are written anew.
@Suite("What is written about the options")
struct DocumentationTests {
  private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../docs/configuration.md").standardized.path

  private static func row(_ cells: String...) -> String {
    "|" + cells.map { $0.isEmpty ? " |" : " \($0.replacing("|", with: "\\|")) |" }.joined()
  }

  private static func rows(_ options: [OptionDefinition<Configuration>]) -> [String] {
    options.map { option in
      row(
        "`\(option.name)`", option.meaning, option.value.form.documentation, option.standard(in: .standard) ?? "",
        (option.effect?.rawValue ?? "") + (option.effectNote ?? ""))
    }
  }

  /// Each table by what it begins with: the heading before it, and its head.
  private static var tables: [(heading: String, lines: [String])] {
    let sections = Configuration.sections.map { section in
      (
        "### \(section.title)",
        ["| option | meaning | type | default | when |", "|---|---|---|---|---|"] + rows(section.options)
      )
    }
    let listener = ListenerConfiguration.options.map { option in
      row(
        "`\(option.name)`", option.meaning, option.scope ?? "", option.standard(in: .standard) ?? "",
        option.effect?.rawValue ?? "")
    }
    let probe = Probe.options.map { option in
      row(
        "`\(option.name)`", option.meaning, option.value.form.documentation,
        option.standard(in: .command([])) ?? "")
    }
    return sections + [
      ("## Listeners", ["| option | meaning | for | default | when |", "|---|---|---|---|---|"] + listener),
      ("## Probe", ["| option | meaning | type | default |", "|---|---|---|---|"] + probe),
    ]
  }

  /// The text with this table under its heading instead of the one that is there.
  private static func replaced(_ text: [String], _ heading: String, _ table: [String]) throws -> [String] {
    let start = try #require(text.firstIndex(of: heading), "there is no \(heading)")
    let head = try #require(text[start...].firstIndex(of: table[0]), "there is no table under \(heading)")
    let end = text[head...].firstIndex { !$0.hasPrefix("|") } ?? text.endIndex
    return text[..<head] + table + text[end...]
  }

  @Test("docs/configuration.md has every option as it is")
  func documentation() throws {
    let text = try String(contentsOfFile: Self.path, encoding: .utf8)
    let wanted = try Self.tables.reduce(text.components(separatedBy: "\n")) {
      try Self.replaced($0, $1.heading, $1.lines)
    }
    .joined(separator: "\n")
    if ProcessInfo.processInfo.environment["ROOST_WRITE_DOCUMENTATION"] != nil {
      try wanted.write(toFile: Self.path, atomically: true, encoding: .utf8)
    } else {
      let changes = zip(wanted.split(separator: "\n"), text.split(separator: "\n")).first { $0 != $1 }
      #expect(
        wanted == text,
        "it differs at \(String(describing: changes)); to write it anew, run this test with ROOST_WRITE_DOCUMENTATION=1"
      )
    }
  }

  @Test("No option has the name of another, and each says what it means")
  func names() {
    let names = Configuration.options.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(Configuration.options.allSatisfy { !$0.meaning.isEmpty && $0.effect != nil })
  }
}

extension OptionForm {
  fileprivate var documentation: String {
    switch self {
    case .flag: "boolean"
    case .single(_, let kind), .list(_, let kind): kind
    }
  }
}
