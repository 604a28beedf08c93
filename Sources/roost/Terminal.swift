import Foundation
import Glibc

/// What output looks like to a person.
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

  struct Size: Equatable {
    let rows: Int
    let columns: Int
  }

  /// The size of stdout; that of the first terminals if it has none.
  static var size: Size {
    var size = winsize()
    let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
    return Size(
      rows: isKnown && size.ws_row > 0 ? Int(size.ws_row) : 24,
      columns: isKnown && size.ws_col > 0 ? Int(size.ws_col) : 80)
  }

  /// How long a line may be: what isn't read at a terminal is written whole.
  static var width: Int { isInteractive ? size.columns : .max }

  static func write(lines: [String]) { write(lines.map { $0 + "\n" }.joined()) }

  /// Writes at once: what waits in a buffer isn't live. Ends the command if it can't be written, for example to a full
  /// disk: half of it mustn't be taken for all.
  static func write(_ text: String) {
    guard let error = write(text, to: STDOUT_FILENO) else { return }
    _ = write("roost: cannot write to stdout: \(String(cString: strerror(error)))\n", to: STDERR_FILENO)
    // EX_IOERR in sysexits.h
    exit(74)
  }

  /// Writes to a stream. Returns the error number, if that fails.
  static func write(_ text: String, to number: Int32) -> Int32? {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        var poll = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        Glibc.poll(&poll, 1, -1)
        continue
      }
      if count < 0 { return errno }
      rest = rest.dropFirst(count)
    }
    return nil
  }

  /// A text that fits a line.
  static func clipped(_ text: String, to width: Int = Terminal.width) -> String {
    text.count <= width ? text : text.prefix(max(0, width - 1)) + "…"
  }
}

/// Lines that are drawn again in their place. No more than fit on the screen: what has scrolled away can't be drawn
/// again.
struct LiveLines {
  private var count = 0
  private var size = Terminal.size

  /// Draws them in place of what was drawn last. Each fits the screen's width.
  mutating func draw(_ lines: [String]) {
    let now = Terminal.size
    let shown = Self.fitting(lines, now.rows)
    // Without wrapping: a line that takes more columns than it has characters would take another row.
    Terminal.write(clearing(now) + "\u{1b}[?7l" + shown.map { $0 + "\n" }.joined() + "\u{1b}[?7h")
    count = shown.count
    size = now
  }

  /// Those that fit with the cursor, which is below them; the last one mentions the rest.
  static func fitting(_ lines: [String], _ rows: Int) -> [String] {
    let room = max(1, rows - 1)
    guard lines.count > room else { return lines }
    let left = lines.count - (room - 1)
    return room == 1 ? Array(lines.prefix(1)) : lines.prefix(room - 1) + ["… \(left) more lines"]
  }

  private func clearing(_ now: Terminal.Size) -> String {
    if count == 0 { return "" }
    // Some terminals rewrap lines that are now too long, and others cut them: there is no telling how many rows they
    // have.
    if now != size { return "\u{1b}[H\u{1b}[J" }
    // Up, and everything below away.
    return "\u{1b}[\(count)A\u{1b}[J"
  }
}
