import RoostJSON

/// Reports findings as they come, or all together as JSON.
final class DoctorReport {
  private let isJSON: Bool
  /// The widest name of a check.
  private let width: Int
  /// Whether the cursor is after the text that says what is being waited for.
  private var isWaiting = false
  private(set) var findings: [Finding] = []
  private var notes: [String] = []

  init(isJSON: Bool, names: [String]) {
    self.isJSON = isJSON
    width = names.map(\.count).max() ?? 0
  }

  var hasFailed: Bool { findings.contains { $0.outcome == .failure } }

  func headline(_ text: String) {
    if !isJSON { Terminal.write(lines: [Terminal.styled(text, .bold)]) }
  }

  /// What has to be known about the findings.
  func note(_ text: String) {
    notes.append(text)
    if !isJSON { Terminal.write("  \(text)\n") }
  }

  /// Says what is being waited for, if someone is watching.
  func begin(_ check: Check) {
    guard !isJSON, Terminal.isInteractive else { return }
    isWaiting = true
    Terminal.write(Terminal.styled("  \(check.rawValue) …", .dim))
  }

  func add(_ finding: Finding) {
    findings.append(finding)
    if isWaiting { Terminal.write("\r\u{1b}[K") }
    isWaiting = false
    if !isJSON { Terminal.write(lines: lines(finding)) }
  }

  private func lines(_ finding: Finding) -> [String] {
    let mark: String =
      switch finding.outcome {
      case .ok: Terminal.styled("✓", .green)
      case .warning: Terminal.styled("!", .yellow)
      case .failure: Terminal.styled("✗", .red)
      }
    let name = finding.check + String(repeating: " ", count: max(0, width - finding.check.count))
    let indent = String(repeating: " ", count: width + 4)
    return ["\(mark) \(name)  \(finding.text)"]
      + finding.lastLines.map { Terminal.styled("\(indent)| \($0)", .dim) }
      + (finding.mend.map { ["\(indent)→ \($0)"] } ?? [])
  }

  /// Reports the sum of what was found. `skipped` are the checks that couldn't be made.
  func end(skipped: [Check]) {
    let names = skipped.map(\.rawValue)
    guard !isJSON else {
      let report: JSON = ["findings": JSON(of: findings), "notChecked": JSON(of: names), "notes": JSON(of: notes)]
      return Terminal.write(report.text + "\n")
    }
    if !names.isEmpty {
      Terminal.write(Terminal.styled("  not checked: \(names.joined(separator: ", "))", .dim) + "\n")
    }
    Terminal.write("\n\(summary)\n")
  }

  private var summary: String {
    let parts = [(Finding.Outcome.failure, "failure"), (.warning, "warning")].compactMap { outcome, noun -> String? in
      let count = findings.count { $0.outcome == outcome }
      return count == 0 ? nil : "\(count) \(count == 1 ? noun : "\(noun)s")"
    }
    return parts.isEmpty ? "all is well" : parts.joined(separator: ", ")
  }
}
