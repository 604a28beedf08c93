/// All workers that one reload starts share a number, which is never used again; those of the start have 1.
public struct Generation: Comparable, Hashable, Sendable, Codable {
  /// The number, from 1.
  public let number: Int

  /// The generation of this number.
  public init(number: Int) {
    self.number = number
  }

  /// Whether one generation is older than another.
  public static func < (older: Generation, newer: Generation) -> Bool { older.number < newer.number }
}

extension Generation {
  /// The one after it.
  var next: Generation { Generation(number: number + 1) }
}

/// The source of what a generation runs.
public enum Origin: Hashable, Sendable, Codable {
  /// The configuration, as it is when the generation is prepared.
  case configuration
  /// The record of what this former generation ran.
  case record(Generation)
}

/// A worker's identity, for as long as the master lives: a pid may be reused before its exit is read, this never is.
public struct WorkerID: Comparable, Hashable, Sendable, Codable {
  /// The worker's own number.
  public let number: Int
  /// The slot that it serves in, from 0.
  public let slot: Int
  /// The generation that it belongs to.
  public let generation: Generation

  /// The worker of this number.
  public init(number: Int, slot: Int, generation: Generation) {
    self.number = number
    self.slot = slot
    self.generation = generation
  }

  /// Whether one worker was started before another.
  public static func < (earlier: WorkerID, later: WorkerID) -> Bool { earlier.number < later.number }
}
