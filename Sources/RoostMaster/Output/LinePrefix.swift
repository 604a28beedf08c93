import RoostCore

/// Puts before each line which worker wrote it.
struct LinePrefix {
  /// A line that is longer is passed on in parts.
  private static let maximumLength = 8192
  /// Colours that are readable on light and on dark.
  private static let colours = [36, 33, 35, 32, 34]

  let id: WorkerID
  private let prefix: [UInt8]
  private(set) var unfinished: [UInt8]

  init(_ id: WorkerID, isTerminal: Bool, unfinished: [UInt8] = []) {
    self.id = id
    self.unfinished = unfinished
    let text = "slot \(id.slot) generation \(id.generation.number) | "
    let colour = Self.colours[id.slot % Self.colours.count]
    prefix = Array((isTerminal ? "\u{1b}[\(colour)m\(text)\u{1b}[0m" : text).utf8)
  }

  /// The lines that are complete by now.
  mutating func lines(of part: ArraySlice<UInt8>) -> [UInt8] {
    var lines: [UInt8] = []
    for byte in part {
      unfinished.append(byte)
      if byte == UInt8(ascii: "\n") || unfinished.count >= Self.maximumLength { lines += rest() }
    }
    return lines
  }

  /// The beginning of a line that isn't complete.
  mutating func rest() -> [UInt8] {
    guard !unfinished.isEmpty else { return [] }
    defer { unfinished.removeAll(keepingCapacity: true) }
    let end = unfinished.last == UInt8(ascii: "\n") ? [] : [UInt8(ascii: "\n")]
    return prefix + unfinished + end
  }
}
