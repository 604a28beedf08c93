import RoostConfiguration
import RoostControl
import RoostCore

/// What is recorded of a generation.
struct HistoryEntry: Codable {
  let generation: Int
  /// The former generation whose release it runs; nil if that is what was configured.
  let recordOf: Int?
  /// The directory that its workers start in, links resolved.
  let directory: String
  let command: [String]
  /// When it was prepared, in µs since 1970.
  let began: Int
  var verdict = HistoryReport.Verdict.starting
  /// Why it has failed, in words.
  var reason: String?
  /// When it took over, in µs since 1970.
  var serves: Int?
  /// When it stopped serving, in µs since 1970; nil while it serves, and if no master was there to see it.
  var ended: Int?
  /// Why it doesn't serve any more, in words.
  var end: String?
  /// Whether it has served well for long enough.
  var isProved = false
  /// What it takes to run it again, pinned as it was; nil if it isn't to run again.
  var configuration: RecordedConfiguration?

  init(_ generation: Generation, of origin: Origin, _ pinned: Configuration, directory: String, at now: Int) {
    self.generation = generation.number
    recordOf = if case .record(let other) = origin { other.number } else { nil }
    self.directory = directory
    command = pinned.worker.command
    began = now
    configuration = .own(pinned)
  }

  /// A generation that couldn't be prepared.
  init(unprepared generation: Generation, at now: Int) {
    self.generation = generation.number
    recordOf = nil
    directory = ""
    command = []
    began = now
  }

  /// Whether it serves, or did until the master was gone.
  var servesStill: Bool { serves != nil && end == nil }

  /// For the clients of the control socket.
  var report: HistoryReport.Entry {
    HistoryReport.Entry(
      generation: generation, recordOf: recordOf, directory: directory, command: command, began: began,
      verdict: verdict, reason: reason, serves: serves, ended: ended, end: end, proved: isProved,
      canComeBack: configuration != nil && serves != nil)
  }
}
