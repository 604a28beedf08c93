import Glibc
import RoostJSON

/// The last lines of a worker on stderr.
struct LastOutput: Codable {
  let pid: pid_t
  let slot: Int
  let generation: Int
  let hasExited: Bool
  /// nil if it writes to the master's stderr itself.
  let lines: [String]?
}

extension LastOutput {
  init(_ process: WorkerProcess) {
    self.init(
      pid: process.pid, slot: process.id.slot, generation: process.id.generation.number,
      hasExited: process.state != .running, lines: process.output.isKept ? process.output.lastLines : nil)
  }

  fileprivate func json(atMost count: Int) -> JSON {
    [
      "pid": .integer(Int(pid)), "slot": .integer(slot), "generation": .integer(generation),
      "hasExited": .boolean(hasExited),
      "lines": lines.map { .array($0.suffix(count).map(JSON.string)) } ?? .null,
    ]
  }
}

/// If no journal keeps what workers write, this is all there is of it (`roost logs`).
extension Workers {
  /// How many workers that are gone are remembered: those of a crash loop, and not of all time.
  private static let mostGone = 10
  /// How many lines are reported at once, of all workers together.
  private static let mostLines = 2000

  /// Keeps the last lines of a worker that is about to be forgotten.
  func rememberOutput(of process: WorkerProcess) {
    let output = LastOutput(process)
    guard output.lines?.isEmpty == false else { return }
    goneOutputs = goneOutputs.suffix(Self.mostGone - 1) + [output]
  }

  /// The `Output`s of docs/control.md: those of workers that are gone first, in the order in which they went.
  var outputReports: [JSON] {
    let all = goneOutputs + processes.map(LastOutput.init)
    return all.map { $0.json(atMost: max(1, Self.mostLines / all.count)) }
  }
}
