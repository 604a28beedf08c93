/// The `Event` of `ControlInterface.description`: what the operator is told, in all the forms in which it is.
package struct ServiceEvent: Codable, Hashable, Sendable {
  package enum Level: String, CaseIterable, Sendable {
    case info, warning, error
  }

  package let time: Int
  package let kind: String
  package let level: Word<Level>
  package let message: String
  package let generation: Int?
  package let slot: Int?
  package let pid: Int32?

  package init(
    _ kind: EventKind, _ level: Level, _ message: String, generation: Int? = nil, slot: Int? = nil, pid: Int32? = nil,
    at time: Int
  ) {
    (self.time, self.kind, self.level, self.message) = (time, String(kind.name), Word(level), message)
    (self.generation, self.slot, self.pid) = (generation, slot, pid)
  }

  /// nil of a kind that only another version has.
  package var knownKind: EventKind? { EventKind(name: kind) }
}
