import RoostProcess

/// The users and groups that exist for the master (user_namespaces(7)).
enum UserNamespace {
  enum Map: String {
    case users = "/proc/self/uid_map"
    case groups = "/proc/self/gid_map"
  }

  /// A line of a map.
  private struct Range {
    let first: UInt32
    /// The number of the first one in the namespace above.
    let outside: UInt32
    let count: UInt32

    init?(_ line: ArraySlice<UInt8>) {
      let numbers = line.words.compactMap { $0.number(radix: 10).flatMap { UInt32(exactly: $0) } }
      guard numbers.count == 3 else { return nil }
      (first, outside, count) = (numbers[0], numbers[1], numbers[2])
    }

    func contains(_ number: UInt32) -> Bool { first <= number && number - first < count }
  }

  /// A user and a group that own nothing (nobody and nogroup).
  static let nobody: UInt32 = 65534

  /// Whether a number stands for a user or a group of this namespace. The files of all others, such as the host's root,
  /// seem to belong to the one that owns nothing, and root has no rights there that could be borrowed.
  static func isKnown(_ number: UInt32, in map: Map) -> Bool {
    // Without /proc nothing is known about namespaces.
    guard number == nobody, let ranges = ranges(in: map) else { return true }
    return ranges.contains { $0.contains(number) }
  }

  /// Whether root has no more rights here than one user outside that isn't root there.
  static var hasOneUser: Bool {
    guard let ranges = ranges(in: .users), ranges.count == 1 else { return false }
    return ranges[0].count == 1 && ranges[0].outside != 0
  }

  private static func ranges(in map: Map) -> [Range]? {
    guard let text = ProcessFile.contents(map.rawValue), !text.isEmpty else { return nil }
    return text.lines.compactMap { Range($0) }
  }
}
