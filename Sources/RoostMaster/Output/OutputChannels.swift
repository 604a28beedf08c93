import CRoostMaster
import Glibc
import RoostConfiguration

/// The pipes to which a process that is about to start will write. nil if it writes to the master's own stream.
struct OutputChannels {
  let standardOutput: OutputPipe?
  let standardError: OutputPipe?

  /// Closes the master's copies of the ends that the process has by now, so that reading ends when the process does.
  func closeWriteEnds() {
    standardOutput?.closeWriteEnd()
    standardError?.closeWriteEnd()
  }
}

/// A pipe from one process to the master.
final class OutputPipe {
  let readEnd: Descriptor
  private var writeEnd: Descriptor?

  /// A pipe that the process may open again through /dev/stderr, whatever user it runs as.
  init(for identity: Identity?) throws(MasterError) {
    var ends: [Int32] = [0, 0]
    guard roost_output_pipe(&ends) == 0 else { throw MasterError(cannot: "make a pipe for what a process writes") }
    readEnd = Descriptor(adopting: ends[0])
    writeEnd = Descriptor(adopting: ends[1])
    if let identity { fchown(ends[1], identity.user, identity.group) }
  }

  /// A pipe whose process already has its end.
  init(restoring readEnd: SavedDescriptor) {
    self.readEnd = readEnd.adopt()
  }

  /// The end for the process, while the master has it.
  var writeNumber: Int32? { writeEnd?.number }

  /// Closes the master's copy of the process's end.
  func closeWriteEnd() {
    writeEnd = nil
  }
}
