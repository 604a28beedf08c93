/// All workers that one reload starts share a number, which is never used again; those of the start have 1.
package struct Generation: Comparable, Hashable, Sendable, Codable {
  /// The number, from 1.
  package let number: Int

  package init(number: Int) {
    self.number = number
  }

  package static func < (older: Generation, newer: Generation) -> Bool { older.number < newer.number }
}

extension Generation {
  /// The one after it.
  var next: Generation { Generation(number: number + 1) }
}

/// The source of what a generation runs.
package enum Origin: Hashable, Sendable, Codable {
  /// The configuration, as it is when the generation is prepared.
  case configuration
  /// The record of what this former generation ran.
  case record(Generation)
}

/// A worker's identity, for as long as the master lives: a pid may be reused before its exit is read, this never is.
package struct WorkerID: Comparable, Hashable, Sendable, Codable {
  package let number: Int
  /// The slot that it serves in, from 0.
  package let slot: Int
  package let generation: Generation

  package init(number: Int, slot: Int, generation: Generation) {
    self.number = number
    self.slot = slot
    self.generation = generation
  }

  package static func < (earlier: WorkerID, later: WorkerID) -> Bool { earlier.number < later.number }
}
