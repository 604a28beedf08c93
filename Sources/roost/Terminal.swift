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

  /// Writes at once: what waits in a buffer isn't live. Ends the command where it can't be written, as to a disk that is full:
  /// whoever reads half of it mustn't take it for all.
  static func write(_ text: String) {
    guard let error = write(text, to: STDOUT_FILENO) else { return }
    _ = write("roost: cannot write to stdout: \(String(cString: strerror(error)))\n", to: STDERR_FILENO)
    // EX_IOERR in sysexits.h
    exit(74)
  }

  /// Writes to a stream. The error number, if that fails.
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
