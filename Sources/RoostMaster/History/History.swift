import RoostConfiguration
import RoostCore

/// The generations of a service, also those of former masters: what served last can come back.
struct History: Codable {
  /// Oldest first. A number is never used again.
  private(set) var entries: [HistoryEntry] = []
  /// The generation that has proved itself last.
  private(set) var lastGood: Int?
  /// What was requested and isn't to serve unless it is requested again: a reload to it has failed, or it was rolled
  /// back.
  private(set) var refused: RecordedConfiguration?
  /// The number of the newest, even if that couldn't be prepared; nil if a former version wrote this.
  private(set) var newest: Int?
  /// Whether it had served, and was rolled back; nil if nothing is refused.
  private(set) var wasRolledBack: Bool?

  /// What a generation ran, to run it again; nil if that isn't recorded.
  func configuration(of generation: Generation) -> Configuration? {
    entry(generation)?.configuration?.configuration
  }

  func entry(_ generation: Generation) -> HistoryEntry? { entries.last { $0.generation == generation.number } }

  /// The generation that served last, under any master.
  var servedLast: Generation? {
    entries.last { $0.serves != nil && $0.configuration != nil }.map { Generation(number: $0.generation) }
  }

  /// The generation that was the first to run what this one ran, as long as that is recorded.
  func original(of generation: Generation) -> Generation {
    guard let number = entry(generation)?.recordOf, entry(Generation(number: number))?.configuration != nil else {
      return generation
    }
    return Generation(number: number)
  }

  /// What a rollback brings back, if nothing is named: the newest that has proved itself and isn't what serves now.
  func rollbackTarget(from serving: Generation) -> Generation? {
    let (release, now) = (entry(serving).map { $0.recordOf ?? $0.generation }, configuration(of: serving))
    // Not as they are written: another version may have written them in another form.
    func isAnother(_ entry: HistoryEntry) -> Bool {
      (entry.recordOf ?? entry.generation) != release
        && configuration(of: Generation(number: entry.generation)) != now
    }
    let others = entries.filter { $0.serves != nil && $0.configuration != nil && isAnother($0) }
    return (others.last(where: \.isProved) ?? others.last).map { Generation(number: $0.generation) }
  }

  /// The number of the first generation of a master that starts now.
  var nextGeneration: Generation { Generation(number: max(entries.map(\.generation).max() ?? 0, newest ?? 0) + 1) }

  /// Whether it is safe to calculate with its numbers: a file on disk may say anything.
  var isSound: Bool {
    let numbers =
      entries.flatMap { [$0.generation, $0.recordOf].compactMap(\.self) } + [lastGood, newest].compactMap(\.self)
    let times = entries.flatMap { [$0.began, $0.serves, $0.ended].compactMap(\.self) }
    return numbers.allSatisfy { (1...Limits.generation).contains($0) }
      && times.allSatisfy { (0...Int.max / 2).contains($0) }
  }

  // MARK: What happens

  /// A number is never used again.
  mutating func began(_ generation: Generation) { newest = max(newest ?? 0, generation.number) }

  mutating func prepared(_ entry: HistoryEntry) {
    entries.removeAll { $0.generation == entry.generation }
    entries.append(entry)
  }

  mutating func tookOver(_ generation: Generation, at now: Int) {
    for index in entries.indices where entries[index].servesStill && entries[index].generation != generation.number {
      entries[index].ended = now
      entries[index].end = "generation \(generation.number) took over"
    }
    // A start that a reload has replaced has no other end.
    for index in entries.indices where entries[index].generation < generation.number {
      guard entries[index].verdict == .starting else { continue }
      entries[index].verdict = .failed
      entries[index].reason = "generation \(generation.number) took its place before it was ready"
    }
    change(generation) { entry in
      entry.serves = entry.serves ?? now
      entry.verdict = .served
    }
  }

  mutating func failed(_ generation: Generation, _ reason: String) {
    change(generation) { entry in
      entry.verdict = .failed
      entry.reason = reason
    }
    guard let entry = entry(generation), entry.serves == nil, entry.recordOf == nil, entry.configuration != nil else {
      return
    }
    refused = entry.configuration
    wasRolledBack = false
  }

  /// The generation serves in all slots, as requested. If it comes from the record, the configured one that it replaces
  /// is refused from now on.
  mutating func succeeded(_ generation: Generation, after former: Generation) {
    guard let entry = entry(generation) else { return }
    if entry.recordOf == nil {
      refused = nil
      wasRolledBack = nil
    } else if let configured = self.entry(former), configured.recordOf == nil {
      refused = configured.configuration
      wasRolledBack = true
    }
  }

  mutating func proved(_ generation: Generation) {
    change(generation) { $0.isProved = true }
    lastGood = generation.number
  }

  /// The service ends.
  mutating func ended(_ reason: String, at now: Int) {
    for index in entries.indices where entries[index].servesStill {
      entries[index].ended = now
      entries[index].end = reason
    }
  }

  /// Another master of the service is gone; it isn't known since when.
  mutating func formerMasterIsGone() {
    for index in entries.indices {
      if entries[index].servesStill { entries[index].end = "the master was gone" }
      if entries[index].verdict == .starting { entries[index].verdict = .failed }
    }
  }

  /// Keeps this many that have served, and as many that haven't; those of them that failed can't come back.
  mutating func trim(to length: Int, serving: Generation?) {
    let served = entries.filter { $0.serves != nil }.suffix(length).map(\.generation)
    let others = entries.filter { $0.serves == nil }.suffix(length).map(\.generation)
    let kept = Set(served + others + [lastGood, serving?.number].compactMap(\.self))
    entries.removeAll { !kept.contains($0.generation) }
    for index in entries.indices where entries[index].verdict == .failed && entries[index].serves == nil {
      entries[index].configuration = nil
    }
  }

  /// Puts all but the newest into their written form, so that each is put into it once and not each time it is written.
  mutating func putDown() {
    for index in entries.indices.dropLast() { entries[index].configuration = entries[index].configuration?.written }
    refused = refused?.written
  }

  /// Forgets the oldest that isn't needed. Returns whether there was one.
  mutating func forgetOldest() -> Bool {
    let last = entries.last?.generation
    guard let index = entries.firstIndex(where: { $0.generation != lastGood && $0.generation != last }) else {
      return false
    }
    entries.remove(at: index)
    return true
  }

  private mutating func change(_ generation: Generation, _ change: (inout HistoryEntry) -> Void) {
    for index in entries.indices where entries[index].generation == generation.number { change(&entries[index]) }
  }
}
