import Foundation
import Glibc

/// What output looks like where a person reads it.
enum Terminal {
  /// Whether stdout is a terminal that can move its cursor.
  static let isInteractive = isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
  /// Colours, unless they aren't wanted (https://no-color.org).
  static let hasColours = isInteractive && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty

  enum Style: Int {
    case bold = 1
    case dim = 2
    case red = 31
    case green = 32
    case yellow = 33
  }

  static func styled(_ text: String, _ style: Style) -> String {
    hasColours ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
  }

  static var width: Int {
    var size = winsize()
    return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  /// Writes at once: what waits in a buffer isn't live.
  static func write(_ text: String) {
    FileHandle.standardOutput.write(Data(text.utf8))
  }

  /// A text that fits a line.
  static func clipped(_ text: String, to width: Int) -> String {
    text.count <= width ? text : text.prefix(max(0, width - 1)) + "…"
  }
}

/// Lines that are drawn again in their place.
struct LiveLines {
  private var count = 0

  mutating func draw(_ lines: [String]) {
    clear()
    Terminal.write(lines.map { $0 + "\n" }.joined())
    count = lines.count
  }

  mutating func clear() {
    // Up, and everything below away.
    if count > 0 { Terminal.write("\u{1b}[\(count)A\u{1b}[J") }
    count = 0
  }
}
