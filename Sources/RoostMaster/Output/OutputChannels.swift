/// The pipes to which a process that is about to start will write. nil if it writes to the master's own stream.
struct OutputChannels {
  let standardOutput: ProcessPipe?
  let standardError: ProcessPipe?

  /// Closes the master's copies of the ends that the process has by now, so that reading ends when the process does.
  func closeWriteEnds() {
    standardOutput?.closeWriteEnd()
    standardError?.closeWriteEnd()
  }
}
