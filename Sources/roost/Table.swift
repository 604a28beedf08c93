/// A table to read: columns that are as wide as their content.
struct Table {
  private let header: [String]
  /// The columns whose numbers are aligned to the right.
  private let rightAligned: Set<Int>
  private var rows: [[String]] = []

  init(_ header: [String], rightAligned: Set<Int> = []) {
    self.header = header
    self.rightAligned = rightAligned
  }

  mutating func add(_ row: [String]) { rows.append(row) }

  /// The header and a line for each row.
  var lines: [String] {
    let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
    let lines = ([header] + rows).map { row in
      Terminal.clipped(
        Self.trimmed(
          zip(row, widths).enumerated().map { column, cell in
            let blanks = String(repeating: " ", count: cell.1 - cell.0.count)
            return rightAligned.contains(column) ? blanks + cell.0 : cell.0 + blanks
          }.joined(separator: "  ")))
    }
    return [Terminal.styled(lines[0], .dim)] + lines.dropFirst()
  }

  private static func trimmed(_ line: String) -> String {
    String(line.reversed().drop { $0 == " " }.reversed())
  }
}
