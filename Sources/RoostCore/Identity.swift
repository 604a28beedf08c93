/// All workers started by one reload carry one number: 1 for those of the start, and never the same again.
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

/// Where it is said what a generation runs.
package enum Origin: Hashable, Sendable, Codable {
  /// In the configuration, as it is when the generation is prepared.
  case configuration
  /// In the record of what this former generation ran.
  case record(Generation)
}

/// Who a worker is, for as long as the master lives: a pid may be reused before its exit is read, this never is.
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
