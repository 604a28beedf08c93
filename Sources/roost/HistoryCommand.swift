import ArgumentParser
import Foundation
import RoostControl
import RoostJSON

struct HistoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "List the generations of a service, and what became of them.",
    discussion: """
      Includes those of former masters. 'roost rollback GENERATION' brings back one that has served.

      Exit status: 0 they are listed; 3 the service isn't running; 4 this user may not operate it.
      """)

  @OptionGroup var selection: ServiceSelection

  @Flag(help: "Print what the master says as JSON (docs/control.md).")
  var json = false

  func run() throws {
    let (name, connection) = try selection.connect()
    do {
      let answer = try connection.call(ControlInterface.history)
      if json { return Terminal.write(answer.text + "\n") }
      let width = Terminal.isInteractive ? Terminal.width : .max
      Terminal.write(HistoryView(answer).lines(width: width).joined(separator: "\n") + "\n")
    } catch {
      try selection.fail(error, name)
    }
  }
}

/// The generations as a table, the newest first.
struct HistoryView {
  private let answer: JSON

  init(_ answer: JSON) {
    self.answer = answer
  }

  func lines(width: Int) -> [String] {
    var table = Table(["GENERATION", "BEGAN", "SERVED", "RELEASE", "VERDICT"], rightAligned: [0])
    for entry in answer.array("entries").reversed() {
      table.add([
        "\(entry.integer("generation") ?? 0)", Self.time(entry.integer("began")), served(entry), Self.release(entry),
        verdict(entry),
      ])
    }
    return table.lines(width: width)
  }

  private static func time(_ microseconds: Int?) -> String {
    guard let microseconds else { return "-" }
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "yyyy-MM-dd HH:mm:ss"
    return formatter.string(from: Date(timeIntervalSince1970: Double(microseconds) / 1_000_000))
  }

  private func isServing(_ entry: JSON) -> Bool { entry.integer("generation") == answer.integer("serving") }

  private func served(_ entry: JSON) -> String {
    guard let began = entry.integer("serves") else { return "-" }
    if let ended = entry.integer("ended") { return Amount.time(milliseconds: (ended - began) / 1000) }
    return entry.string("end") == nil ? Amount.since(began / 1_000_000) : "?"
  }

  private static func release(_ entry: JSON) -> String {
    guard let directory = entry.string("directory"), !directory.isEmpty else { return "-" }
    return entry.integer("recordOf").map { "\(directory) (of generation \($0))" } ?? directory
  }

  private func verdict(_ entry: JSON) -> String {
    var parts: [String] = []
    switch entry.string("verdict") {
    case "failed": parts.append("failed" + (entry.string("reason").map { ": \($0)" } ?? ""))
    case "served": parts.append(isServing(entry) && entry.string("end") == nil ? "serves" : "served")
    default: parts.append("starting")
    }
    if entry.integer("generation") == answer.integer("lastGood") {
      parts.append("the last good one")
    } else if entry["proved"] == true {
      parts.append("proved")
    }
    if let end = entry.string("end") { parts.append(end) }
    return parts.joined(separator: ", ")
  }
}
