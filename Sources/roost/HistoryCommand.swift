import ArgumentParser
import Foundation
import RoostControl

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
    try selection.operate { _, connection in
      let reply = try connection.call(ControlInterface.history)
      if json { return Terminal.write(lines: [reply.text]) }
      Terminal.write(lines: HistoryView(report: try reply.answer()).lines)
    }
  }
}

/// The generations as a table, the newest first.
struct HistoryView {
  let report: HistoryReport

  var lines: [String] {
    var table = Table(["GENERATION", "BEGAN", "SERVED", "RELEASE", "VERDICT"], rightAligned: [0])
    for entry in report.entries.reversed() {
      table.add([
        "\(entry.generation)", Self.time(entry.began), served(entry), Self.release(entry), verdict(entry),
      ])
    }
    return table.lines
  }

  private static func time(_ microseconds: Int) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "yyyy-MM-dd HH:mm:ss"
    return formatter.string(from: Date(timeIntervalSince1970: Double(microseconds) / 1_000_000))
  }

  private func served(_ entry: HistoryReport.Entry) -> String {
    guard let began = entry.serves else { return "-" }
    if let ended = entry.ended { return Amount.time(milliseconds: (ended - began) / 1000) }
    return entry.end == nil ? Amount.since(began / 1_000_000) : "?"
  }

  private static func release(_ entry: HistoryReport.Entry) -> String {
    if entry.directory.isEmpty { return "-" }
    return entry.directory + (entry.recordOf.map { " (of generation \($0))" } ?? "")
  }

  private func verdict(_ entry: HistoryReport.Entry) -> String {
    var parts: [String] = []
    switch entry.verdict.known {
    case .failed: parts.append("failed" + (entry.reason.map { ": \($0)" } ?? ""))
    case .served: parts.append(entry.generation == report.serving && entry.end == nil ? "serves" : "served")
    case .starting, nil: parts.append("starting")
    }
    if entry.generation == report.lastGood {
      parts.append("the last good one")
    } else if entry.proved {
      parts.append("proved")
    }
    if let end = entry.end { parts.append(end) }
    return parts.joined(separator: ", ")
  }
}
