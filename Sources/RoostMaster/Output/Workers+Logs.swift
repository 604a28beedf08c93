import RoostControl

extension LastOutput {
  init(_ process: WorkerProcess) {
    self.init(
      pid: process.pid, slot: process.id.slot, generation: process.id.generation.number,
      hasExited: process.state != .running, lines: process.output.isKept ? process.output.lastLines : nil)
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
  var outputReports: [LastOutput] {
    var all = goneOutputs + processes.map(LastOutput.init)
    for index in all.indices { all[index].lines = all[index].lines?.suffix(max(1, Self.mostLines / all.count)) }
    return all
  }
}
