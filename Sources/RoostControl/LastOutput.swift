/// The `Output` of `ControlInterface.description`: what a worker wrote last to stderr.
package struct LastOutput: Codable, Hashable, Sendable {
  package let pid: Int32
  package let slot: Int
  package let generation: Int
  package let hasExited: Bool
  /// nil where it writes to the master's stderr itself.
  package var lines: [String]?

  package init(pid: Int32, slot: Int, generation: Int, hasExited: Bool, lines: [String]?) {
    (self.pid, self.slot, self.generation, self.hasExited, self.lines) = (pid, slot, generation, hasExited, lines)
  }
}
