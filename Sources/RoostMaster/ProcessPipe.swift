import CRoostMaster
import Glibc

/// A pipe from one process to the master, whose end doesn't block.
final class ProcessPipe {
  let readEnd: Descriptor
  private var writeEnd: Descriptor?

  init(_ purpose: String) throws(MasterError) {
    var ends: [Int32] = [0, 0]
    guard roost_pipe(&ends) == 0 else { throw MasterError(cannot: "make a pipe for \(purpose)") }
    readEnd = Descriptor(adopting: ends[0])
    writeEnd = Descriptor(adopting: ends[1])
  }

  /// A pipe whose process already has its end.
  init(restoring readEnd: SavedDescriptor) {
    self.readEnd = readEnd.adopt()
  }

  /// The end for the process, while the master has it.
  var writeNumber: Int32? { writeEnd?.number }

  /// Closes the master's copy of the process's end.
  func closeWriteEnd() { writeEnd = nil }
}
