/// Counts of durations by their length.
package struct DurationHistogram: Hashable, Sendable, Codable {
  /// The upper bounds of the buckets, in µs. Everything longer is in one more.
  package static let bounds = [50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300_000].map { $0 * 1000 }

  /// How many are in each bucket alone, including the one without a bound.
  package internal(set) var buckets = [Int](repeating: 0, count: bounds.count + 1)
  /// All together, in µs.
  package internal(set) var sum = 0

  package init() {}

  /// Whether it has the buckets that it needs.
  var isSound: Bool { buckets.count == Self.bounds.count + 1 }

  package var count: Int { buckets.reduce(0, +) }

  package mutating func add(_ microseconds: Int) {
    buckets[Self.bounds.firstIndex { microseconds <= $0 } ?? Self.bounds.count] += 1
    sum += microseconds
  }
}
