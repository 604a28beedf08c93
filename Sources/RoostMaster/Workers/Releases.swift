import RoostCore

/// What the workers of each generation run, if it has any or may get one.
struct Releases {
  private var all: [Generation: Release] = [:]

  subscript(generation: Generation) -> Release? {
    get { all[generation] }
    set { all[generation] = newValue }
  }

  /// The release of a generation whose workers are, or were, to be started.
  func known(_ generation: Generation) -> Release {
    guard let release = all[generation] else { preconditionFailure("a generation that wasn't prepared") }
    return release
  }

  func isGiven(_ generation: Generation, _ listener: Listener) -> Bool {
    all[generation]?.listeners.contains { $0.listener === listener } == true
  }

  func listeners(of generations: Set<Generation>) -> [Listener] {
    all.filter { generations.contains($0.key) }.flatMap { $0.value.listeners.map(\.listener) }
  }

  var listeners: [Listener] { all.values.flatMap { $0.listeners.map(\.listener) } }

  /// Whether any of these generations has listeners other than a release's.
  func differ(in generations: Set<Generation>, from new: Release) -> Bool {
    func isSame(_ one: Release) -> Bool {
      one.listeners.count == new.listeners.count
        && one.listeners.allSatisfy { passed in new.listeners.contains { $0.listener === passed.listener } }
    }
    return generations.contains { generation in all[generation].map { !isSame($0) } ?? false }
  }

  /// Forgets those of generations that are no longer needed.
  mutating func forget(where isOver: (Generation) -> Bool) {
    for (generation, release) in all where isOver(generation) {
      all[generation] = nil
      // A worker of it may still be referred to for a moment, and with it what it had.
      release.listeners = []
    }
  }

  /// On a stop.
  func letGoOfListeners() {
    for release in all.values { release.listeners = [] }
  }

  func saved(_ listeners: [Listener]) -> [Release.Saved] {
    all.keys.sorted().map { all[$0]!.saved(as: $0, listeners) }
  }

  init() {}

  init(restoring saved: [Release.Saved], _ listeners: [Listener]) {
    for release in saved { all[release.generation] = Release(restoring: release, listeners) }
  }
}
